"""Proposed models as a subject of the committee's ballots."""

from collections.abc import Sequence, Set
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from federation.catalogue import mails, policies
from federation.catalogue.models import AIModel, Proposal
from federation.catalogue.operations.life import locked_model
from federation.catalogue.operations.proposals import adopt_by_ballot
from federation.journal.actors import Actor
from federation.members.enums import BallotState, Outcome, SubjectKind
from federation.members.models import Ballot
from federation.members.votes import Count


class Adoption:
    """Whether a proposed model is taken on trial."""

    def check_open(self, subject_id: UUID) -> None:
        """With the model locked until the ballot is open: its proposal is not withdrawn meanwhile."""
        policies.check_ready_for_the_committee(locked_model(_model(subject_id)))

    def barred(self, subject_id: UUID) -> Set[UUID]:
        """Nobody: a model is common, and who proposes it gains nothing that others do not."""
        return frozenset()

    def name(self, subject_id: UUID) -> str:
        return str(_model(subject_id))

    def address(self, subject_id: UUID) -> str:
        return reverse("model_life", args=[subject_id])

    def facts(self, subject_id: UUID) -> Sequence[tuple[str, str]]:
        """What was said by who proposed it, and what its card holds by now."""
        model = _model(subject_id)
        said = model.proposals.first() or Proposal()
        found = {
            _("Why"): said.reason,
            _("Publisher"): model.publisher,
            _("Licence"): model.licence,
            _("Category"): model.get_category_display(),
            _("Who could host it"): said.hosts,
            _("Address of the weights"): said.weights_url,
        }
        return [(name, value) for name, value in found.items() if value]

    def decided(self, *, by: Actor, subject_id: UUID, count: Count) -> None:
        """A yes takes it on trial; without one it stays proposed, and may be put to the vote again."""
        model = _model(subject_id)
        if count.outcome == Outcome.ACCEPTED:
            closed = Ballot.objects.about(SubjectKind.MODEL, subject_id)
            ballot = closed.filter(state=BallotState.CLOSED).latest("closed_at")
            adopt_by_ballot(by=by, model=model, ballot=ballot)
        else:
            mails.tell_not_adopted(model)


def _model(subject_id: UUID) -> AIModel:
    return AIModel.objects.get(pk=subject_id)
