"""Where a proposal stands and what comes next, in words for who made it or for who acts now."""

from typing import NamedTuple

from django.utils.translation import gettext as _

from federation.catalogue.models import Proposal
from federation.days import long_moment
from federation.members.enums import BallotState, SubjectKind
from federation.members.models import Ballot
from routing.core.enums import LifecycleStage


class Step(NamedTuple):
    """`state` in a few words, `text` what comes and who acts."""

    state: str
    text: str
    is_over: bool = False


def next_step(proposal: Proposal, *, may_decide: bool) -> Step:
    """Return what comes; `may_decide`: it is for the reader to bring it before the committee."""
    if proposal.withdrawn_at is not None:
        return Step(_("withdrawn"), _("Nothing follows. The model may be proposed again."), True)
    match LifecycleStage(proposal.model.stage):
        case LifecycleStage.PROPOSED:
            return _before_the_committee(proposal, may_decide=may_decide)
        case LifecycleStage.STAGING:
            return Step(
                _("on trial"),
                _(
                    "Members put servers of it into service; a few keys try it. Then it is offered to all."
                ),
            )
        case LifecycleStage.PRODUCTION:
            return Step(_("in production"), _("Every key may use it."), True)
        case LifecycleStage.DEPRECATED:
            return Step(_("deprecated"), _("It is still served, until the day announced."), True)
        case LifecycleStage.RETIRED:
            return Step(_("retired"), _("It is not offered any more."), True)


def _before_the_committee(proposal: Proposal, *, may_decide: bool) -> Step:
    ballots = Ballot.objects.about(SubjectKind.MODEL, proposal.model_id)
    since = ballots.filter(created_at__gte=proposal.created_at)
    if ballot := since.filter(state=BallotState.OPEN).first():
        moment = long_moment(ballot.closes_at)
        text = _("The committee votes until %(moment)s, Paris time. You are told the result.")
        return Step(_("under vote"), text % {"moment": moment})
    if since.filter(state=BallotState.CLOSED).exists():
        text = _(
            "The committee has not said yes. It may vote again; you may withdraw the proposal."
        )
        if may_decide:
            text = _("The committee has not said yes. You may put it to the vote again.")
        return Step(_("not taken for now"), text)
    if may_decide:
        text = _("Now you act: put it to the vote, or note what was decided elsewhere.")
        return Step(_("proposed"), text)
    return Step(
        _("proposed"), _("The committee is told, and puts it to the vote. You need not act.")
    )
