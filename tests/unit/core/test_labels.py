"""A request of a data class is served at sites with every label of it, at a second attempt too, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.enums import RoutingMode, ServerState
from routing.core.labels import OWN, data_class, is_label, normal, site_labels
from routing.core.request import Grant, Refusal, RefusalCode
from routing.core.retry import Failure
from tests.support.decisions import MODEL, House, a_model, a_server, a_ticket

LABELS = ("hds", "secnumcloud", "iso 27001")
RENNES = a_server("rennes-1", labels=site_labels(["HDS", "SecNumCloud"]))
REIMS = a_server("reims-1", labels=site_labels(["HDS"]))
PLAIN = a_server("nantes-1")


def code_of(decision: object) -> RefusalCode:
    assert isinstance(decision, Refusal), decision
    return decision.code


def test_it_goes_only_where_every_label_is_carried() -> None:
    house = House(RENNES, REIMS, PLAIN)

    one = {house.grant(f"o{n}", labels=("hds",)).server_id for n in range(6)}
    both = {house.grant(f"b{n}", labels=("hds", "secnumcloud")).server_id for n in range(6)}

    assert both == {"rennes-1"}
    assert one == {"rennes-1", "reims-1"}


def test_where_no_site_has_the_labels_the_refusal_says_so_at_once() -> None:
    house = House(RENNES, REIMS)
    assert code_of(house.offer("t1", labels=("hds", "iso 27001"))) is RefusalCode.LABELS


def test_own_sites_are_those_of_the_asking_institution_whatever_the_mode() -> None:
    house = House(RENNES, REIMS)

    mine = house.grant("t1", institution_id="reims", labels=(OWN,), mode=RoutingMode.ANY)

    assert mine.server_id == "reims-1"
    assert code_of(house.offer("t2", institution_id="orleans", labels=(OWN,))) is RefusalCode.LABELS


def test_nobody_can_call_a_site_everybody_s_own() -> None:
    impostor = a_server("reims-1", labels=site_labels(["own", " OWN "]))
    assert code_of(House(impostor).offer("t1", labels=(OWN,))) is RefusalCode.LABELS


def test_a_second_attempt_is_bound_as_the_first() -> None:
    house = House(RENNES, REIMS, PLAIN)
    first = house.grant("t1", labels=("secnumcloud",))

    decision = house.fail(first, Failure.LOST)

    assert code_of(decision) is RefusalCode.ATTEMPTS


def test_it_waits_for_a_labelled_server_though_another_is_free() -> None:
    rennes = a_server("rennes-1", labels=frozenset({"hds"}), max_parallel=1)
    house = House(rennes, PLAIN)
    running = house.grant("t1", labels=("hds",))

    assert house.offer("t2", labels=("hds",)) is None
    (granted,) = house.end(running)

    assert isinstance(granted, Grant)
    assert (granted.id, granted.server_id) == ("t2", "rennes-1")


def test_who_waits_is_told_when_the_label_is_taken_away() -> None:
    rennes = a_server("rennes-1", labels=frozenset({"hds"}), max_parallel=1)
    house = House(rennes, PLAIN)
    house.grant("t1", labels=("hds",))
    assert house.offer("t2", labels=("hds",)) is None

    decisions = house.show(a_server("rennes-1", max_parallel=1), PLAIN)

    assert [(each.id, code_of(each)) for each in decisions] == [("t2", RefusalCode.LABELS)]


@given(
    sites=st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=4),
    states=st.lists(st.sampled_from(ServerState), min_size=4, max_size=4),
    asked=st.lists(st.sets(st.sampled_from([*LABELS, OWN])), min_size=1, max_size=12),
    failing=st.booleans(),
)
def test_no_request_ever_reaches_a_site_without_its_labels(
    sites: list[set[str]], states: list[ServerState], asked: list[set[str]], failing: bool
) -> None:
    servers = [
        a_server(f"i{n}-1", labels=site_labels(labels), state=state, max_parallel=2)
        for n, (labels, state) in enumerate(zip(sites, states, strict=False))
    ]
    house = House(*servers, models=(a_model(*(each.id for each in servers), name=MODEL),))
    by_id = {server.id: server for server in servers}
    asking = {}
    decisions: list[object] = []
    for n, labels in enumerate(asked):
        ticket = a_ticket(f"t{n}", institution_id=f"i{n % 4}", labels=data_class(labels))
        asking[ticket.id] = ticket
        decisions.append(house.offer(ticket))
    while decisions:
        decision = decisions.pop()
        if not isinstance(decision, Grant):
            continue
        server, ticket = by_id[decision.server_id], asking[decision.id]
        wanted = set(ticket.labels) - {OWN}
        assert wanted <= server.labels
        assert OWN not in ticket.labels or server.institution_id == ticket.institution_id
        if failing:
            decisions.append(house.fail(decision, Failure.LOST))
        else:
            decisions += house.end(decision)


@pytest.mark.parametrize(("written", "read"), [(" HDS ", "hds"), ("ISO  27001", "iso 27001")])
def test_a_label_is_compared_whatever_its_case_and_spaces(written: str, read: str) -> None:
    assert normal(written) == read
    assert data_class([written], [read]) == (read,)


def test_what_can_be_no_label() -> None:
    assert [is_label(text) for text in ("HDS", "ISO 27001", "Données de santé")] == [True] * 3
    assert not any(map(is_label, ("", " HDS", "a,b", "a\nb", "x" * 41, "-", "é\0")))
