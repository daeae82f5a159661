"""Reads about applications and keys that pages share: where someone may issue keys, and for what."""

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.utils import timezone

from federation.access.enums import KeyState
from federation.access.models import (
    OVERSEERS,
    ApiKey,
    ApiKeyQuerySet,
    Application,
    Trial,
    managed_by,
)
from federation.access.policies import (
    HIGHEST_CLASS,
    check_give_away,
    check_manage_application,
    check_revoke_all,
    check_set_limit,
    highest_class,
    hosting_institutions,
)
from federation.catalogue.models import AIModel
from federation.fleet.models import InferenceServer, Site
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership, TeamPlace
from federation.people.enums import AccountKind, Role
from federation.people.models import RoleGrant, User, UserQuerySet
from federation.people.policies import is_federation_admin
from federation.policy import asking
from routing.core.enums import PriorityClass
from routing.core.labels import is_label, normal, site_labels

can_manage_application = asking(check_manage_application)
can_set_limit = asking(check_set_limit)
can_hand_over = asking(check_give_away)
can_revoke_all = asking(check_revoke_all)
UNUSED_FOR = timedelta(days=90)
ENDS_SOON = timedelta(days=30)


def issuing_institutions(by: User) -> dict[Institution, PriorityClass]:
    """Return the members for which `by` may issue keys, each with the highest class. One query."""
    members = Institution.objects.for_user(by).approved()
    highest = {institution: highest_class(by, institution) for institution in members}
    return {institution: top for institution, top in highest.items() if top is not None}


def suspended_institutions(user: User) -> list[Institution]:
    """Return the institutions at which `user` has a role and whose membership is suspended: no key is issued there."""
    ids = Membership.objects.filter(
        state=MembershipState.SUSPENDED, institution__in=user.institution_ids()
    )
    return list(Institution.objects.for_user(user).filter(pk__in=ids.values("institution")))


def applications_to_manage(by: User) -> list[Application]:
    """Return the applications whose keys `by` may issue and revoke. Two queries."""
    seen = Application.objects.for_user(by).select_related("institution", "owner")
    seen = seen.prefetch_related("managers", "team__places")
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
        .prefetch_related("models", "application__managers", "application__team__places")
        .annotate(is_member=Exists(approved), is_own=is_own, is_replaced=Exists(ongoing))
        .order_by(
            "-is_own",
            "application__institution__short_name",
            "application__name",
            "application_id",
            "-created_at",
        )
    )


def colleagues(institution: Institution) -> UserQuerySet:
    """Return the open accounts with a role at an institution, whichever."""
    grants = RoleGrant.objects.filter(institution_id=institution.pk)
    found: UserQuerySet = User.objects.filter(is_active=True, pk__in=grants.values("user_id"))
    return found


def people_behind(application: Application) -> list[User]:
    """Return who is told what happens to an application's keys."""
    return people_behind_each([application])[application.pk]


def people_behind_each(applications: Collection[Application]) -> dict[UUID, list[User]]:
    """Return, by application, who is told what happens to its keys: its people, else the IT department.

    Who has no role at the institution any more is not among them: its keys are nothing of theirs. Two queries.
    """
    own = _named_people(applications)
    grants = RoleGrant.objects.filter(
        Q(user__in={pk for named in own.values() for pk in named}) | Q(role=Role.MEMBER_DSI),
        institution_id__in={application.institution_id for application in applications},
        role__in=HIGHEST_CLASS,
        user__is_active=True,
    )
    staff: dict[UUID, dict[UUID, User]] = defaultdict(dict)
    departments: dict[UUID, dict[UUID, User]] = defaultdict(dict)
    for grant in grants.exclude(user__email="").select_related("user").order_by("user_id"):
        if grant.institution_id is None:
            continue
        if grant.role == Role.MEMBER_DSI:
            departments[grant.institution_id][grant.user_id] = grant.user
        if grant.user.kind == AccountKind.PERSON:
            staff[grant.institution_id][grant.user_id] = grant.user
    found: dict[UUID, list[User]] = {}
    for application in applications:
        at = application.institution_id
        people = [user for pk, user in staff[at].items() if pk in own[application.pk]]
        found[application.pk] = people or list(departments[at].values())
    return found


def _named_people(applications: Collection[Application]) -> dict[UUID, set[UUID]]:
    """Return, by application, its owner, its managers and its open team's people. One query."""
    pks = [application.pk for application in applications]
    managers = Application.managers.through.objects.filter(application_id__in=pks)
    places = TeamPlace.objects.filter(team__applications__in=pks, team__closed_at=None)
    pairs = (
        Application.objects.filter(pk__in=pks, owner__isnull=False)
        .order_by()
        .values_list("pk", "owner_id")
        .union(
            managers.values_list("application_id", "user_id"),
            places.order_by().values_list("team__applications__pk", "user_id"),
        )
    )
    named: dict[UUID, set[UUID]] = defaultdict(set)
    for application, person in pairs:
        named[application].add(person)
    return named


def keys_to_try(user: User, model: AIModel, text: str) -> ApiKeyQuerySet:
    """Return the usable keys that `user` may name for a model's trial and that hold `text`, by whose they are."""
    keys = ApiKey.objects.for_user(user).usable()
    if not is_federation_admin(user):
        keys = keys.filter(application__institution__in=hosting_institutions(user, model))
    named = Trial.objects.in_force().filter(model=model)
    keys = keys.exclude(pk__in=named.values("key_id"))
    if text:
        found = Q(name__icontains=text) | Q(application__name__icontains=text)
        found |= Q(prefix__icontains=text)
        keys = keys.filter(found | Q(application__institution__short_name__icontains=text))
    return keys.select_related("application__institution", "application__owner").order_by(
        "application__institution__short_name", "application__name", "name", "pk"
    )


def known_labels() -> dict[str, str]:
    """Return the labels that sites with a server carry: what can be asked for, and how it is written."""
    sites = Site.objects.filter(servers__in=InferenceServer.objects.present()).distinct()
    written = [label for labels in sites.values_list("labels", flat=True) for label in labels]
    asked = site_labels(written)
    found = {normal(label): label for label in written if normal(label) in asked}
    return {label: found[label] for label in sorted(found) if is_label(label)}


def overseen_institutions(user: User) -> list[Institution]:
    """Return the institutions all of whose keys one sees: an overseer's own, everybody's for the federation."""
    institutions = Institution.objects.for_user(user).order_by("short_name")
    if not user.sees_everything:
        institutions = institutions.filter(pk__in=user.institution_ids(*OVERSEERS))
    return list(institutions)


def found_keys(user: User, institution: Institution, text: str, state: str) -> ApiKeyQuerySet:
    """Return the keys of an institution, the latest first, that hold `text` and are in this state (`KeyState`)."""
    now = timezone.now()
    found = keys_to_list(user).filter(application__institution=institution).order_by("-created_at")
    usable = found.usable()
    match state:
        case KeyState.ENDED:
            found = found.exclude(pk__in=usable.order_by().values("pk"))
        case KeyState.UNUSED:
            since = timezone.localdate() - UNUSED_FOR
            never = Q(last_used_on__isnull=True, created_at__lt=now - UNUSED_FOR)
            found = usable.filter(never | Q(last_used_on__lt=since))
        case KeyState.ENDING:
            found = usable.filter(expires_at__lt=now + ENDS_SOON)
        case _:
            found = usable
    if text:
        named = Q(name__icontains=text) | Q(application__name__icontains=text)
        named |= Q(prefix__icontains=text) | Q(application__owner__name__icontains=text)
        found = found.filter(named | Q(application__owner__email__icontains=text))
    return found
