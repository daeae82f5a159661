"""Writes about proposals: a model is proposed, withdrawn, or taken on trial."""

from datetime import datetime
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.catalogue import mails, policies
from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel, Proposal
from federation.catalogue.operations.life import locked_model, move
from federation.catalogue.operations.registering import enter
from federation.journal.actors import SYSTEM, Actor
from federation.journal.operations import record
from federation.members.models import Ballot, Institution
from federation.people.models import User
from routing.core.enums import LifecycleStage


class ProposalFacts(TypedDict, total=False):
    """What is said of a model that is proposed; the first three go into its card."""

    publisher: str
    licence: str
    category: Category
    weights_url: str
    reason: str
    hosts: str


CARD = ("publisher", "licence", "category")


@transaction.atomic
def propose_model(
    *, by: Actor, slug: str, facts: ProposalFacts, institution: Institution | None = None
) -> Proposal:
    """Propose a model to the federation. Raises `ValidationError` when it is known by this name already."""
    policies.check_propose(by, institution)
    proposal = _propose(by, slug, facts, institution)
    mails.tell_proposal(proposal)
    return proposal


def model_of_a_form(*, filled_by: User | None, slug: str) -> AIModel:
    """Return the model that a technical form names; one that nobody knows is entered, and proposed later.

    Within the operation that hands the form in, which has asked the policy.
    """
    known = AIModel.objects.filter(slug__iexact=slug).first()
    if known is not None and known.stage == LifecycleStage.RETIRED:
        raise policies.is_retired(known)
    by = filled_by or SYSTEM
    return known or enter(by=by, slug=slug, stage=LifecycleStage.PROPOSED, facts={})


def propose_once_reached(
    *, model: AIModel, institution: Institution, filled_by: User | None, since: datetime
) -> None:
    """Propose the model of a server that answers, unless somebody has done so, or since then taken it back.

    Within the operation that concludes the server's run: what was never reached is nobody's proposal.
    """
    if not policies.may_be_proposed(model):
        return
    if model.proposals.filter(created_at__gte=since).exists():
        return
    reason = _("A server of %(institution)s was handed in for it.")
    facts = ProposalFacts(reason=reason % {"institution": institution}, hosts=str(institution))
    mails.tell_proposal(_propose(filled_by or SYSTEM, model.slug, facts, institution))


@transaction.atomic
def withdraw_proposal(*, by: Actor, proposal: Proposal) -> Proposal:
    """Take a proposal back, before the committee has decided."""
    locked_model(proposal.model)  # a ballot that is being opened holds it, too
    locked = Proposal.objects.select_for_update().get(pk=proposal.pk)
    policies.check_withdraw_proposal(by, locked)
    locked.withdrawn_at = timezone.now()
    locked.save(update_fields=["withdrawn_at"])
    record(by=by, verb="catalogue.withdraw_proposal", obj=locked, diff={"model": locked.model_id})
    return locked


@transaction.atomic
def adopt_model(*, by: Actor, model: AIModel, reason: str) -> AIModel:
    """Take a proposed model on trial by a decision that was made elsewhere; `reason` says where."""
    locked = locked_model(model)
    policies.check_adopt(by, locked, reason)
    move(by=by, locked=locked, stage=LifecycleStage.STAGING, reason=reason)
    mails.tell_adopted(locked)
    return locked


def adopt_by_ballot(*, by: Actor, model: AIModel, ballot: Ballot) -> None:
    """Take a proposed model on trial, as the committee has decided, in the transaction that closes the ballot.

    Not one that nobody stands by any more.
    """
    locked = locked_model(model)
    if locked.stage == LifecycleStage.PROPOSED and not policies.is_withdrawn(locked):
        move(by=by, locked=locked, stage=LifecycleStage.STAGING, ballot=ballot)
        mails.tell_adopted(locked)


def _propose(
    by: Actor, slug: str, facts: ProposalFacts, institution: Institution | None
) -> Proposal:
    """The row of a proposal that was withdrawn is taken up again, with what is said of it now."""
    card = {name: value for name, value in facts.items() if name in CARD}
    known = AIModel.objects.select_for_update().filter(slug__iexact=slug).first()
    if known is None:
        model = enter(by=by, slug=slug, stage=LifecycleStage.PROPOSED, facts=card)
    else:
        policies.check_may_be_proposed(known)
        model = known
        for name, value in card.items():
            setattr(model, name, value)
        model.full_clean()
        model.save(update_fields=list(card))
    said = {name: value for name, value in facts.items() if name not in CARD}
    proposal = Proposal(
        model=model,
        proposed_by=by if isinstance(by, User) else None,
        institution=institution,
        **said,
    )
    _check(proposal)
    proposal.save()
    record(
        by=by,
        verb="catalogue.propose_model",
        obj=proposal,
        institution=institution,
        diff={"model": model.pk},
    )
    return proposal


def _check(proposal: Proposal) -> None:
    if not proposal.reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    proposal.reason = proposal.reason.strip()
    proposal.full_clean()
