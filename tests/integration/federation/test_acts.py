"""Every operation against everybody: done and told by the journal, or refused without a trace."""

import inspect
from types import ModuleType

import pytest
from django.core.exceptions import PermissionDenied

from billing.operations import (
    budgets,
    contests,
    erasure,
    invoices,
    ledger,
    merging,
    months,
    notes,
    prices,
    requests,
    retention,
    years,
)
from federation.access import keyring, trials
from federation.access import operations as access
from federation.catalogue.operations import (
    aliases,
    facts,
    life,
    minimum,
    notices,
    proposals,
    registering,
    routing,
)
from federation.fleet.operations import (
    certificates,
    credentials,
    deployments,
    egress,
    guests,
    keys,
    labels,
    leases,
    maintenance,
    networks,
    offering,
    probes,
    publication,
    rotation,
    runs,
    servers,
    technical,
)
from federation.identity import operations as identity
from federation.journal.actors import SYSTEM, Actor, CommandActor
from federation.journal.models import AuditEvent
from federation.members.operations import (
    agreements,
    ballots,
    candidacies,
    invitations,
    leaving,
    teams,
    texts,
)
from federation.members.operations import memberships as members
from federation.people import operations as people
from federation.people.enums import Language
from tests.integration.federation.acts import ACTS
from tests.integration.federation.world import World, undone
from tests.support.candidates import BOTH_SIGNED, NANTES, PART

HANDED_IN = {"submit_form"}
"""It tells of what the product itself does too: `tests/integration/fleet/test_technical_form.py` has it."""
OF_PEOPLE = {"cast_vote", "invite", "resend_invitation", "withdraw_invitation"}
"""Acts that take a person: a command has no vote, and sends no invitation in somebody's name."""
OF_ONES_OWN = {
    *("choose_language", "accept_charter", "accept_invitation", "begin_candidacy"),
    *("describe_institution", "describe_part", "name_contacts", "submit_candidacy"),
    *("withdraw_candidacy", "sign_agreement", "draw_up", "move", "admit_if_settled"),
    *("enter", "note_stage", "adopt_by_ballot", "ask_for_more", "forget_people", "credit"),
    *("end_leases", "follow_leases", "give_up_roles"),
}
"""Everybody's own affair, tried below and in `tests/integration/members`; and steps of other operations."""
PEOPLE = ("admin", "auditor", "rennes_dsi", "rennes_user", "reims_dsi", "orleans_user", "intruder")
OPERATORS = (CommandActor("tests"), SYSTEM)


@pytest.mark.parametrize("person", PEOPLE)
def test_an_act_is_done_and_told_or_refused_without_a_trace(world: World, person: str) -> None:
    by = world.cast.people()[person]
    before = AuditEvent.objects.count()

    for name, (allowed, act) in ACTS.items():
        with undone():
            if person in allowed:
                act(world, by)
            else:
                with pytest.raises(PermissionDenied):
                    act(world, by)
            told = AuditEvent.objects.filter(seq__gt=before)
            pseudonyms = {event.actor_pseudonym for event in told}
            assert pseudonyms == ({by.pseudonym} if person in allowed else set()), name


@pytest.mark.parametrize("by", OPERATORS, ids=["a command", "the system"])
def test_an_operator_at_the_machine_may_do_everything(world: World, by: Actor) -> None:
    before = AuditEvent.objects.count()
    kind, _pseudonym, command = by.audit_identity

    for name, (_allowed, act) in ACTS.items():
        if name.split()[0] in OF_PEOPLE:
            continue
        with undone():
            act(world, by)
            event = AuditEvent.objects.filter(seq__gt=before).first()
            assert event is not None, name
            assert (event.actor_kind, event.actor_command) == (kind, command), name


def test_everybody_chooses_a_language_for_themselves(world: World) -> None:
    for person in world.cast.people().values():
        people.choose_language(by=person, language=Language.ENGLISH)

        event = AuditEvent.objects.order_by("seq").last()
        assert event is not None
        assert (event.actor_pseudonym, event.object_id) == (person.pseudonym, str(person.pk))


def test_nobody_writes_in_a_candidacy_of_others(world: World) -> None:
    for person in world.cast.people().values():
        for act in (
            lambda by: candidacies.describe_institution(
                by=by, candidacy=world.candidacy, seen="", facts=NANTES
            ),
            lambda by: candidacies.describe_part(
                by=by, candidacy=world.candidacy, seen="", facts=PART
            ),
            lambda by: candidacies.name_contacts(
                by=by, candidacy=world.candidacy, seen="", contacts={}
            ),
            lambda by: candidacies.submit_candidacy(by=by, candidacy=world.candidacy),
            lambda by: candidacies.withdraw_candidacy(by=by, candidacy=world.candidacy),
            lambda by: agreements.sign_agreement(
                by=by,
                agreement=world.agreement,
                upload=BOTH_SIGNED,
                signatory="",
                signatory_function="",
            ),
        ):
            with pytest.raises(PermissionDenied):
                act(person)


MODULES: tuple[ModuleType, ...] = (
    *(budgets, contests, invoices, ledger, merging, months, notes, prices, requests, retention),
    erasure,
    years,
    *(access, keyring, trials, members, people, identity),
    *(registering, proposals, life, notices, aliases, minimum, routing, facts),
    *(agreements, ballots, candidacies, invitations, leaving, teams, texts),
    *(credentials, deployments, egress, guests, keys, labels, leases, publication, rotation),
    servers,
    *(certificates, maintenance, networks, offering, probes, runs, technical),
)


def test_every_operation_is_tried_here() -> None:
    found = {
        name
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "by" in inspect.signature(function).parameters
    }

    assert found - OF_ONES_OWN - HANDED_IN == {name.partition(" ")[0] for name in ACTS} - {"take"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_operations_take_keywords_only(module: ModuleType) -> None:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(function).parameters
        if function.__module__ == module.__name__ and "by" in parameters and name[0] != "_":
            named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
            assert {p.kind for p in parameters.values()} <= named, name
