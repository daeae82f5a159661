"""Who may create applications and manage them, issue, replace and revoke keys, up to which class and for how long."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.access.models import ApiKey, Application, LimitOwner, Trial
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment, InferenceServer
from federation.journal.actors import Actor, is_operator
from federation.members.models import Institution, Membership, Team
from federation.members.operations.leaving import is_forgotten
from federation.members.policies import check_charter_accepted, check_forget, check_is_member
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import check_leaves_no_gap, holds, is_federation_admin
from federation.policy import asking, refuse_unless
from routing.core.enums import LifecycleStage, PriorityClass
from routing.core.table import OPEN_STAGES

HIGHEST_CLASS = {
    Role.MEMBER_DSI: PriorityClass.P5,
    Role.PROJECT_OWNER: PriorityClass.P4,
    Role.USER: PriorityClass.P3,
}
"""By role at the institution. An IT department decides which of its applications are interactive; the
router is fair between institutions of a class, so this takes nothing from the others."""

USUAL_LIFE = timedelta(days=365)
LONGEST_LIFE = timedelta(days=731)
"""Of the keys that people make: one that nobody remembers ends by itself. A day more, as it ends with a day."""
LONGEST_OVERLAP = timedelta(days=30)
"""For how long a key that is replaced goes on working, at most; a day more, as it ends with a day."""
MOST_MANAGERS = 20
MOST_NAMED = 5
"""Applications that a refusal names."""


def highest_class(by: Actor, institution: Institution) -> PriorityClass | None:
    """Return the highest class of keys that `by` may issue for the institution, None for no key at all."""
    if is_federation_admin(by):
        return PriorityClass.P5
    classes = [
        highest for role, highest in HIGHEST_CLASS.items() if holds(by, institution.pk, role)
    ]
    return max(classes, default=None)


def check_create_application(
    by: Actor, institution: Institution, owner: User | None = None
) -> None:
    """One's own application with any of the roles above; for somebody else, as the IT department."""
    if not is_federation_admin(by) and not holds(by, institution.pk, Role.MEMBER_DSI):
        refuse_unless(highest_class(by, institution) is not None and owner in (None, by))
    check_is_member(institution)
    if owner is not None and institution.pk not in owner.institution_ids():
        raise ValidationError(
            _("The owner has no role at this institution."), code="owner_elsewhere"
        )


def check_manage_application(by: Actor, application: Application) -> None:
    """Its owner, managers and team, as long as the institution still gives them a role, and the IT department."""
    institution_id = application.institution_id
    refuse_unless(
        is_federation_admin(by)
        or holds(by, institution_id, Role.MEMBER_DSI)
        or (
            isinstance(by, User)
            and holds(by, institution_id, *HIGHEST_CLASS)
            and application.is_managed_by(by)
        )
    )


def check_hand_over(by: Actor, application: Application, owner: User) -> None:
    """Its owner gives an application away, or the IT department does; who gets it has a role there."""
    check_give_away(by, application)
    check_works_there(owner, application.institution)


def check_give_to_team(by: Actor, application: Application, team: Team | None) -> None:
    """Who could give it away may let an open team of its institution manage it that they see."""
    check_give_away(by, application)
    if team is None:
        return
    if team.institution_id != application.institution_id or team.closed_at is not None:
        raise ValidationError(_("This is not a team of the institution."), code="team")
    if isinstance(by, User):
        refuse_unless(Team.objects.for_user(by).filter(pk=team.pk).exists())


def check_give_away(by: Actor, application: Application) -> None:
    if not is_federation_admin(by) and not holds(by, application.institution_id, Role.MEMBER_DSI):
        check_manage_application(by, application)
        refuse_unless(application.owner == by)


def check_add_manager(by: Actor, application: Application, manager: User) -> None:
    check_manage_application(by, application)
    check_works_there(manager, application.institution)
    if application.is_managed_by(manager):
        raise ValidationError(_("This person manages the application already."), code="known")
    if application.managers.count() >= MOST_MANAGERS:
        raise ValidationError(
            _("At most %(count)s people manage an application."),
            code="many",
            params={"count": MOST_MANAGERS},
        )


def check_remove_manager(by: Actor, application: Application, manager: User) -> None:
    """Whoever manages it, also oneself."""
    check_manage_application(by, application)
    if not application.managers.filter(pk=manager.pk).exists():
        raise ValidationError(_("This person does not manage the application."), code="unknown")


def check_works_there(person: User, institution: Institution) -> None:
    """Raise `ValidationError` unless `person` has an open account and a role that goes with keys there."""
    if not person.is_active or not holds(person, institution.pk, *HIGHEST_CLASS):
        raise nobody_there(institution)


def nobody_there(institution: Institution) -> ValidationError:
    """Return the refusal that is the same whether an address is unknown or somebody's elsewhere."""
    return ValidationError(
        _("Nobody with this address has a role at %(institution)s that goes with keys."),
        code="elsewhere",
        params={"institution": institution},
    )


def check_lifetime(by: Actor, expires_at: datetime | None) -> None:
    """A key ends in the future; one that a person makes within two years."""
    now = timezone.now()
    if expires_at is not None and expires_at <= now:
        raise ValidationError({"expires_at": _("This date has passed.")})
    if not is_operator(by) and (
        expires_at is None or expires_at > now + LONGEST_LIFE + timedelta(days=1)
    ):
        raise ValidationError({"expires_at": _("A key works for two years at most.")})


def check_models(by: Actor, models: Collection[AIModel], known: ApiKey | None = None) -> None:
    """A model on trial is not for whoever knows its name: keys are named for it (`trials`).

    What a key has already, or the one whose place it takes, it keeps.
    """
    if is_operator(by):
        return
    kept = set(known.models.values_list("pk", flat=True)) if known else set()
    if any(model.stage not in OPEN_STAGES and model.pk not in kept for model in models):
        raise ValidationError(
            {"models": _("A key can be bound to models in production only.")}, code="on_trial"
        )


def check_see_trials(by: Actor, model: AIModel) -> None:
    """The federation, auditors too, and the IT departments that host the model."""
    overview = isinstance(by, User) and by.sees_everything
    refuse_unless(overview or is_federation_admin(by) or bool(hosting_institutions(by, model)))


def check_name_for_trial(by: Actor, model: AIModel, key: ApiKey) -> None:
    """The federation for any key; an IT department that hosts the model for those of its institution."""
    hosts = {each.pk for each in hosting_institutions(by, model)}
    refuse_unless(is_federation_admin(by) or key.application.institution_id in hosts)
    if model.stage != LifecycleStage.STAGING:
        raise ValidationError(
            _("This model is not on trial: no key has to be named for it."), code="no_trial"
        )
    if not key.is_usable:
        raise ValidationError(_("This key has ended: make another one."), code="ended")
    if key.trials.in_force().filter(model=model).exists():
        raise ValidationError(_("This key is named for the trial already."), code="named")


def check_end_trial(by: Actor, trial: Trial) -> None:
    hosts = {each.pk for each in hosting_institutions(by, trial.model)}
    refuse_unless(is_federation_admin(by) or trial.key.application.institution_id in hosts)
    if trial.ended_at is not None:
        raise ValidationError(_("This trial has ended already."), code="ended")


def hosting_institutions(by: Actor, model: AIModel) -> list[Institution]:
    """Return the institutions that serve a model and whose IT department `by` is."""
    if not isinstance(by, User):
        return []
    servers = Deployment.objects.live().filter(version__model=model).values("server_id")
    present = InferenceServer.objects.present().filter(pk__in=servers)
    own = Institution.objects.filter(pk__in=by.institution_ids(Role.MEMBER_DSI))
    return list(own.filter(pk__in=present.values("site__institution_id")))


def check_issue_key(
    by: Actor,
    application: Application,
    priority: PriorityClass = PriorityClass.P1,
    replaces: ApiKey | None = None,
) -> None:
    """Up to one's highest class; a key that replaces one keeps the class that somebody gave that one."""
    check_manage_application(by, application)
    highest = highest_class(by, application.institution)
    is_kept = replaces is not None and replaces.priority == priority
    refuse_unless(highest is not None and (is_kept or priority <= highest))
    check_is_member(application.institution)
    check_charter_accepted(by)


def check_change_key(by: Actor, key: ApiKey, priority: PriorityClass) -> None:
    """Who may issue it as it shall be may change it, as long as it works and no other takes its place."""
    check_issue_key(by, key.application, priority, key)
    if key.revoked_at is not None:
        raise ValidationError(_("This key is revoked already."), code="revoked")
    if not key.is_usable and not is_operator(by):
        raise ValidationError(_("This key has ended: make another one."), code="ended")
    if key.successors.usable().exists():
        raise ValidationError(_("This key is being replaced already."), code="replaced")


def check_revoke_key(by: Actor, key: ApiKey) -> None:
    check_manage_application(by, key.application)
    if key.revoked_at is not None:
        raise ValidationError(_("This key is revoked already."), code="revoked")


def check_replace_key(by: Actor, key: ApiKey, old_until: datetime) -> None:
    """Who manages the application, as long as the key works; once, unless its successor has ended."""
    check_manage_application(by, key.application)
    check_is_member(key.application.institution)
    if not key.is_usable:
        raise ValidationError(_("This key has ended: make another one."), code="ended")
    if key.successors.usable().exists():
        raise ValidationError(_("This key is being replaced already."), code="replaced")
    now = timezone.now()
    if not now < old_until <= now + LONGEST_OVERLAP + timedelta(days=1):
        raise ValidationError(_("The old key goes on working for 30 days at most."), code="overlap")


def check_revoke_all(by: Actor, institution: Institution) -> None:
    """The IT department, for whichever of its institution's applications."""
    refuse_unless(is_federation_admin(by) or holds(by, institution.pk, Role.MEMBER_DSI))


def check_report_leak(by: Actor) -> None:
    """Whoever holds a key's text may have it ended; the page acts for them, and does not ask who they are."""
    refuse_unless(is_operator(by))


def check_set_limit(by: Actor, owner: LimitOwner) -> None:
    """Each from one level above: whom a limit binds does not lift it.

    The federation bounds institutions, an IT department its applications, who manages an application its keys.
    """
    match owner:
        case ApiKey():
            check_manage_application(by, owner.application)
        case Application():
            refuse_unless(
                is_federation_admin(by) or holds(by, owner.institution_id, Role.MEMBER_DSI)
            )
        case Institution():
            refuse_unless(is_federation_admin(by))


def check_erase(by: Actor, user: User) -> None:
    """Oneself, or the federation a closed account. Raises `ValidationError` with all that has to be done first."""
    is_own = by == user and (user.is_active or is_forgotten(user))
    refuse_unless(is_own or is_federation_admin(by))
    if is_forgotten(user):
        raise ValidationError(_("This account is erased already."), code="erased")
    if by != user:
        check_forget(by, user)
    refusals = []
    live = Membership.objects.live().values_list("institution_id", flat=True)
    try:
        check_leaves_no_gap(user, live)
    except ValidationError as refusal:
        refusals.append(refusal)
    if in_force := _keys_in_force(user):
        refusals.append(in_force)
    if refusals:
        raise ValidationError(refusals)


def _keys_in_force(user: User) -> ValidationError | None:
    """Keys that somebody answers for are to be somebody else's first; others are their IT department's already."""
    used = ApiKey.objects.usable().filter(
        application__owner=user,
        application__institution__in=user.institution_ids(*HIGHEST_CLASS),
    )
    names = used.order_by("application__name").values_list("application__name", flat=True)
    found = list(names.distinct()[: MOST_NAMED + 1])
    if not found:
        return None
    told = [*found[:MOST_NAMED], *("…" for _more in found[MOST_NAMED:])]
    return ValidationError(
        _(
            "Keys of applications that this account owns are in force (%(names)s): hand the applications over, "
            "or revoke the keys, first."
        ),
        code="keys_in_force",
        params={"names": ", ".join(told)},
    )


can_see_trials = asking(check_see_trials)
can_end_trial = asking(check_end_trial)
