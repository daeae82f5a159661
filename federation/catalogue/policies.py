"""Who may write the catalogue: members propose, the committee takes on trial, the federation decides the rest."""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.catalogue.enums import STAGE_LABELS, TRANSITIONS
from federation.catalogue.models import AIModel, Alias, Proposal
from federation.catalogue.readiness import what_is_missing
from federation.days import long_day
from federation.journal.actors import Actor, is_operator
from federation.members.enums import BallotState, SubjectKind
from federation.members.models import Ballot, Institution
from federation.members.policies import check_is_member, check_reason
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.policy import asking, refuse_unless
from federation.transitions import check_transition
from routing.core.enums import LifecycleStage

MOST_PROPOSALS = 5
"""Of one person that wait for the committee."""
LATEST_END = timedelta(days=731)
SHORT_NOTICE = timedelta(days=30)
"""An end that is nearer surprises people who look after software in their spare time: the page warns."""


def check_write_catalogue(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_set_routing(by: Actor, model: AIModel) -> None:
    """The federation decides how what it shares is shared out; a retired model is asked for no more."""
    check_write_catalogue(by)
    if model.stage == LifecycleStage.RETIRED:
        raise is_retired(model)


def check_set_minimum(by: Actor, model: AIModel) -> None:
    """The federation decides what it cannot do without; nobody asks for a retired model any more."""
    check_set_routing(by, model)


def check_note_alarm(by: Actor) -> None:
    """What routers see of servers is the product's own to write down."""
    refuse_unless(is_operator(by))


def check_describe(by: Actor, model: AIModel) -> None:
    """The federation writes the cards; of a retired model, the last one stands."""
    check_write_catalogue(by)
    if model.stage == LifecycleStage.RETIRED:
        raise ValidationError(_("This model is retired."), code="retired")


def check_name_is_free(name: str, model: AIModel | None = None) -> None:
    """Raise unless no model and no alias bears this public name, in any case of letters.

    One that was taken away is free for the `model` that it stood for alone.
    """
    taken = AIModel.objects.filter(slug__iexact=name).exists()
    aliases = Alias.objects.filter(name__iexact=name)
    if taken or aliases.in_force().exists() or aliases.exclude(model=model).exists():
        raise name_is_taken(name)


def name_is_taken(name: str) -> ValidationError:
    return ValidationError(
        _("The name “%(name)s” is taken by a model."), code="name_taken", params={"name": name}
    )


def is_retired(model: AIModel) -> ValidationError:
    return ValidationError(_("This model is retired."), code="retired")


# Proposals


def check_propose(by: Actor, institution: Institution | None) -> None:
    """Anybody with a role at a member, in its name; the federation in its own."""
    if institution is None:
        refuse_unless(is_federation_admin(by))
    else:
        refuse_unless(is_federation_admin(by) or holds(by, institution.pk))
        check_is_member(institution)
    own = Proposal.objects.standing().filter(model__stage=LifecycleStage.PROPOSED)
    if isinstance(by, User) and own.filter(proposed_by=by).count() >= MOST_PROPOSALS:
        raise ValidationError(
            _("%(count)s of your proposals wait for the committee: withdraw one first."),
            code="many",
            params={"count": MOST_PROPOSALS},
        )


def check_step(model: AIModel, stage: LifecycleStage) -> None:
    """Raise `ForbiddenTransitionError` unless the model's life may go on with this stage."""
    check_transition(TRANSITIONS, LifecycleStage(model.stage), stage, STAGE_LABELS)


def may_be_proposed(model: AIModel) -> bool:
    """Whether this name is of a proposal that was withdrawn."""
    is_proposed = model.stage == LifecycleStage.PROPOSED
    return is_proposed and not model.proposals.standing().exists()


def check_may_be_proposed(model: AIModel) -> None:
    if may_be_proposed(model):
        return
    told = {
        LifecycleStage.PROPOSED: _("“%(model)s” is proposed already: the committee will decide."),
        LifecycleStage.RETIRED: _("“%(model)s” is retired, and its name is not given again."),
    }
    raise ValidationError(
        {
            "slug": told.get(
                LifecycleStage(model.stage), _("“%(model)s” is in the catalogue already.")
            )
            % {"model": model.slug}
        }
    )


def check_withdraw_proposal(by: Actor, proposal: Proposal) -> None:
    """Who has proposed it, and the federation; not while the committee votes."""
    refuse_unless(is_federation_admin(by) or (by == proposal.proposed_by and by is not None))
    _check_waits(proposal.model)
    if proposal.withdrawn_at is not None:
        raise ValidationError(_("This proposal is withdrawn already."), code="withdrawn")
    _check_no_open_ballot(proposal.model)


def check_adopt(by: Actor, model: AIModel, reason: str) -> None:
    """An administrator who says where the committee has decided, as long as no ballot asks it."""
    check_write_catalogue(by)
    check_step(model, LifecycleStage.STAGING)
    check_reason(reason)
    _check_no_open_ballot(model)


def check_ready_for_the_committee(model: AIModel) -> None:
    """Raise unless a ballot about this model is due: proposed, by somebody who stands by it."""
    _check_waits(model)
    if is_withdrawn(model):
        raise ValidationError(_("This proposal is withdrawn already."), code="withdrawn")


def is_withdrawn(model: AIModel) -> bool:
    """Whether somebody proposed it, and nobody stands by it any more."""
    return model.proposals.exists() and not model.proposals.standing().exists()


def _check_waits(model: AIModel) -> None:
    if model.stage != LifecycleStage.PROPOSED:
        raise ValidationError(_("This model is not a proposal any more."), code="decided")


def _check_no_open_ballot(model: AIModel) -> None:
    ballots = Ballot.objects.about(SubjectKind.MODEL, model.pk)
    if ballots.filter(state=BallotState.OPEN).exists():
        raise ValidationError(
            _("The committee votes about this model: close or cancel the ballot first."),
            code="ballot_open",
        )


# From trial to the end


def check_put_into_production(by: Actor, model: AIModel) -> None:
    check_write_catalogue(by)
    if model.stage == LifecycleStage.DEPRECATED:
        raise ValidationError(
            _("A deprecated model is kept with a reason, which its users are told."), code="keep"
        )
    check_step(model, LifecycleStage.PRODUCTION)
    if missing := what_is_missing(model):
        raise ValidationError(missing, code="not_ready")


def check_change_deprecation(by: Actor, model: AIModel) -> None:
    check_write_catalogue(by)
    if model.stage != LifecycleStage.DEPRECATED:
        raise ValidationError(_("This model is not deprecated."), code="not_deprecated")


def check_end(model: AIModel, retires_on: date, successor: AIModel | None) -> None:
    """An end lies ahead, what follows is there to be used, and no critical model relies on it."""
    today = timezone.localdate()
    if not today < retires_on <= today + LATEST_END:
        raise ValidationError({"retires_on": _("Choose a day from tomorrow on, within two years.")})
    _check_successor(successor, model)
    if relying := AIModel.objects.relying_on(model).first():
        raise ValidationError(
            _("%(model)s has it as its fallback: name another one there first."),
            code="fallback",
            params={"model": relying},
        )
    if (before := _followed_by(model)) is not None:
        raise ValidationError(
            _("%(name)s names it as its successor: name another one there first."),
            code="successor",
            params={"name": before},
        )


def _followed_by(model: AIModel) -> AIModel | Alias | None:
    """Return what is on its way out and leads to `model`."""
    aliases = Alias.objects.in_force().filter(successor=model, sunset__gt=timezone.localdate())
    leaving = model.predecessors.filter(stage=LifecycleStage.DEPRECATED)
    return leaving.first() or aliases.first()


def check_retire(by: Actor, model: AIModel, reason: str) -> None:
    """A deprecated model at its date, by anybody in charge or by the clock; another with a reason."""
    check_write_catalogue(by)
    check_step(model, LifecycleStage.RETIRED)
    if model.stage != LifecycleStage.DEPRECATED:
        check_reason(reason)
        _check_no_open_ballot(model)
    elif model.retires_on is None:
        raise ValidationError(_("Say first when it ends, so that its users are told."), code="date")
    elif model.retires_on > timezone.localdate():
        raise ValidationError(
            _("It was announced until %(day)s: before, only the date can be changed."),
            code="not_yet",
            params={"day": long_day(model.retires_on)},
        )


# Aliases


def check_name_alias(by: Actor, model: AIModel, name: str) -> None:
    check_write_catalogue(by)
    if model.stage == LifecycleStage.RETIRED:
        raise is_retired(model)
    check_name_is_free(name, model)


def check_change_alias(by: Actor, alias: Alias) -> None:
    check_write_catalogue(by)
    if alias.removed_at is not None:
        raise ValidationError(_("This name is taken away already."), code="removed")


def check_alias_end(alias: Alias, sunset: date | None, successor: AIModel | None) -> None:
    today = timezone.localdate()
    if sunset is not None and sunset != alias.sunset and not today < sunset <= today + LATEST_END:
        raise ValidationError({"sunset": _("Choose a day from tomorrow on, within two years.")})
    if sunset is None and successor is not None:
        raise ValidationError({"sunset": _("Say from when on the successor is to be used.")})
    _check_successor(successor, alias.model)


def _check_successor(successor: AIModel | None, model: AIModel) -> None:
    if successor is None:
        return
    in_production = AIModel.objects.filter(pk=successor.pk, stage=LifecycleStage.PRODUCTION)
    if successor.pk == model.pk or not in_production.exists():
        raise ValidationError(
            {"successor": _("The successor is another model, and one in production.")}
        )


can_set_routing = asking(check_set_routing)
can_write = asking(check_write_catalogue)
can_withdraw_proposal = asking(check_withdraw_proposal)
can_put_to_the_committee = asking(check_ready_for_the_committee)
can_set_minimum = asking(check_set_minimum)
can_describe = asking(check_describe)
