"""Reads about applications and keys that pages share: where someone may issue keys, and for what."""

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from federation.access.models import ApiKey, ApiKeyQuerySet, Application
from federation.access.policies import (
    check_manage_application,
    check_set_limit,
    highest_class,
)
from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.people.models import User
from federation.policy import asking
from routing.core.enums import LifecycleStage, PriorityClass, RoutingMode, ServerState

can_manage_application = asking(check_manage_application)
can_set_limit = asking(check_set_limit)


def issuing_institutions(by: User) -> dict[Institution, PriorityClass]:
    """Return the members for which `by` may issue keys, each with the highest class. One query."""
    members = Institution.objects.for_user(by).approved()
    highest = {institution: highest_class(by, institution) for institution in members}
    return {institution: top for institution, top in highest.items() if top is not None}


def applications_to_manage(by: User) -> list[Application]:
    """Return the applications whose keys `by` may issue and revoke. One query."""
    seen = Application.objects.for_user(by).select_related("institution", "owner")
    return [application for application in seen if can_manage_application(by, application)]


def keys_to_list(user: User) -> ApiKeyQuerySet:
    """Return the keys that `user` sees, one's own applications first; `is_member`: their institution still is."""
    approved = Membership.objects.filter(
        institution=OuterRef("application__institution"), state=MembershipState.APPROVED
    )
    is_own = ExpressionWrapper(Q(application__owner=user), output_field=BooleanField())
    return (
        ApiKey.objects.for_user(user)
        .select_related("application__institution", "application__owner")
        .prefetch_related("models")
        .annotate(is_member=Exists(approved), is_own=is_own)
        .order_by(
            "-is_own",
            "application__institution__short_name",
            "application__name",
            "application_id",
            "-created_at",
        )
    )


def model_for_a_first_call(key: ApiKey) -> AIModel | None:
    """Return a model that `key` may ask and that is served now, a conversational one if there is any."""
    serving = Deployment.objects.live().filter(
        version__model=OuterRef("pk"), server__state=ServerState.LIVE
    )
    if key.routing_mode == RoutingMode.PRIVATE_ONLY:
        serving = serving.filter(server__site__institution=key.application.institution_id)
    models = AIModel.objects.served().filter(Exists(serving))
    chosen = key.models.values("pk")
    models = (
        models.filter(pk__in=chosen) if chosen else models.filter(stage=LifecycleStage.PRODUCTION)
    )
    return models.order_by(
        ExpressionWrapper(~Q(capabilities__contains=[Capability.CHAT]), BooleanField()), "slug"
    ).first()
