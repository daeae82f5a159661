"""Reads about applications and keys that pages share: where someone may issue keys, and for what."""

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from federation.access.models import ApiKey, ApiKeyQuerySet, Application, managed_by
from federation.access.policies import (
    check_manage_application,
    check_set_limit,
    highest_class,
)
from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment, InferenceServer, Site
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.people.enums import AccountKind, Role
from federation.people.models import RoleGrant, User
from federation.policy import asking
from routing.core.enums import LifecycleStage, PriorityClass, RoutingMode, ServerState
from routing.core.labels import is_label, normal, site_labels

can_manage_application = asking(check_manage_application)
can_set_limit = asking(check_set_limit)


def issuing_institutions(by: User) -> dict[Institution, PriorityClass]:
    """Return the members for which `by` may issue keys, each with the highest class. One query."""
    members = Institution.objects.for_user(by).approved()
    highest = {institution: highest_class(by, institution) for institution in members}
    return {institution: top for institution, top in highest.items() if top is not None}


def applications_to_manage(by: User) -> list[Application]:
    """Return the applications whose keys `by` may issue and revoke. Two queries."""
    seen = Application.objects.for_user(by).select_related("institution", "owner")
    seen = seen.prefetch_related("managers")
    return [application for application in seen if can_manage_application(by, application)]


def keys_to_list(user: User) -> ApiKeyQuerySet:
    """Return the keys that `user` sees, one's own applications first; `is_member`: their institution still is."""
    approved = Membership.objects.filter(
        institution=OuterRef("application__institution"), state=MembershipState.APPROVED
    )
    own = Application.objects.filter(managed_by(user)).values("pk")
    is_own = ExpressionWrapper(Q(application__in=own), output_field=BooleanField())
    ongoing = ApiKey.objects.usable().filter(replaces=OuterRef("pk"))
    return (
        ApiKey.objects.for_user(user)
        .select_related("application__institution", "application__owner")
        .prefetch_related("models", "application__managers")
        .annotate(is_member=Exists(approved), is_own=is_own, is_replaced=Exists(ongoing))
        .order_by(
            "-is_own",
            "application__institution__short_name",
            "application__name",
            "application_id",
            "-created_at",
        )
    )


def people_behind(application: Application) -> list[User]:
    """Return who is told what happens to an application's keys: its people, else the IT department."""
    own = User.objects.filter(Q(applications=application) | Q(managed_applications=application))
    people = [person for person in own.distinct() if person.is_active and person.email]
    people = [person for person in people if person.kind == AccountKind.PERSON]
    if people:
        return people
    grants = RoleGrant.objects.filter(
        role=Role.MEMBER_DSI, institution_id=application.institution_id, user__is_active=True
    )
    return list(User.objects.filter(pk__in=grants.values("user_id")).order_by("pk"))


def known_labels() -> dict[str, str]:
    """Return the labels that sites with a server carry: what can be asked for, and how it is written."""
    sites = Site.objects.filter(servers__in=InferenceServer.objects.present()).distinct()
    written = [label for labels in sites.values_list("labels", flat=True) for label in labels]
    asked = site_labels(written)
    found = {normal(label): label for label in written if normal(label) in asked}
    return {label: found[label] for label in sorted(found) if is_label(label)}


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
