"""Every register write that the table is made of leaves a change and wakes the clerk; nothing else does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import psycopg
import pytest
from django.db import connection, transaction

from billing.enums import BudgetWindow
from billing.models import Budget
from billing.operations.budgets import change_budget, end_budget, set_budget
from billing.operations.prices import Units, set_price
from federation.access.models import ApiKey
from federation.access.operations import (
    remove_limit,
    revoke_key,
    set_limit,
    set_threshold,
)
from federation.catalogue.models import AIModel
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.minimum import set_minimum
from federation.catalogue.operations.registering import add_version
from federation.catalogue.operations.routing import set_routing
from federation.fleet.models import Deployment, EgressGrant, InferenceServer, Site
from federation.fleet.operations.certificates import show_certificate
from federation.fleet.operations.credentials import rotate_credential
from federation.fleet.operations.deployments import retire_deployment
from federation.fleet.operations.egress import revoke_egress
from federation.fleet.operations.guests import set_guest_rules
from federation.fleet.operations.networks import Wish, ask_site_egress
from federation.fleet.operations.servers import change_server_state, limit_server
from federation.journal.actors import SYSTEM
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.members.operations import change_membership_state
from routing.bridge.models import RoutingChange
from routing.core.enums import BudgetUnit, Measure, ServerState
from routing.upstream.credentials import Secret
from tests.integration.federation.world import SHOWN
from tests.support.database_url import database_url
from tests.support.factories import (
    OPERATOR,
    make_application,
    make_institution,
    make_key,
    make_model,
    make_server,
    make_site,
    make_user,
    serve_model,
)
from tests.support.lifecycle import deprecate

pytestmark = pytest.mark.django_db


class Federation:
    """One of everything that the table is made of."""

    def __init__(self) -> None:
        self.rennes = make_institution("rennes")
        self.deployment = serve_model(self.rennes, credential="secret")
        self.server = self.deployment.server
        self.model = self.deployment.version.model
        self.key = make_key(make_application(self.rennes), models=[self.model])[0]
        self.limit = set_limit(by=SYSTEM, owner=self.key, measure=Measure.AT_ONCE, most=3)
        self.budget = a_budget(self, BudgetWindow.YEAR)


def a_budget(federation: Federation, window: BudgetWindow = BudgetWindow.DAY) -> Budget:
    return set_budget(
        by=OPERATOR, owner=federation.key, unit=BudgetUnit.TOKENS, most=5, window=window
    )


@pytest.fixture
def federation() -> Federation:
    return Federation()


WRITES: dict[str, tuple[Callable[[Federation], object], set[str]]] = {
    "a key is issued": (
        lambda f: make_key(f.key.application),
        {"principals"},
    ),
    "a key is revoked": (
        lambda f: revoke_key(by=SYSTEM, key=f.key, reason="leak"),
        {"principals"},
    ),
    "a key's models change": (lambda f: f.key.models.clear(), {"principals"}),
    "a key is lowered": (
        lambda f: ApiKey.objects.filter(pk=f.key.pk).update(priority=1),
        {"principals"},
    ),
    "a membership is suspended": (
        lambda f: change_membership_state(
            by=SYSTEM,
            membership=Membership.objects.get(institution=f.rennes),
            state=MembershipState.SUSPENDED,
        ),
        {"principals", "names", "servers"},
    ),
    "an institution is renamed": (
        lambda f: Institution.objects.filter(pk=f.rennes.pk).update(short_name="R1"),
        {"servers", "principals"},
    ),
    "a limit is set": (
        lambda f: set_limit(by=SYSTEM, owner=f.rennes, measure=Measure.AT_ONCE, most=3),
        {"principals"},
    ),
    "a limit is removed": (
        lambda f: remove_limit(by=SYSTEM, limit=f.limit),
        {"principals"},
    ),
    "a budget is set": (lambda f: a_budget(f), {"principals"}),
    "a budget is raised": (
        lambda f: change_budget(by=OPERATOR, budget=f.budget, most=9, hard=True),
        {"principals"},
    ),
    "a budget is ended": (lambda f: end_budget(by=OPERATOR, budget=f.budget), {"principals"}),
    "a price is announced": (
        lambda f: set_price(by=OPERATOR, model=f.model, units=Units(prompt_nano=3)),
        {"names"},
    ),
    "a key waits behind so many only": (
        lambda f: set_threshold(by=SYSTEM, key=f.key, threshold=3),
        {"principals"},
    ),
    "a model changes its stage": (
        lambda f: deprecate(f.model),
        {"names"},
    ),
    "a model gets a version": (
        lambda f: add_version(by=SYSTEM, model=f.model, revision="v2"),
        {"names"},
    ),
    "a model gets an alias": (
        lambda f: add_alias(by=SYSTEM, model=f.model, name="petit"),
        {"names"},
    ),
    "a model is routed otherwise": (
        lambda f: set_routing(by=SYSTEM, model=f.model, settings={"longest_wait": 60}),
        {"names"},
    ),
    "a model becomes critical": (
        lambda f: set_minimum(by=SYSTEM, model=f.model, minimum={"servers": 1, "sites": 1}),
        {"names"},
    ),
    "a model is registered": (lambda f: make_model("other"), {"names"}),
    "a deployment is retired": (
        lambda f: retire_deployment(by=SYSTEM, deployment=f.deployment),
        {"names"},
    ),
    "a server is registered": (
        lambda f: make_server(f.server.site),
        {"names", "servers"},
    ),
    "a server drains": (
        lambda f: change_server_state(by=SYSTEM, server=f.server, state=ServerState.DRAINING),
        {"names", "servers"},
    ),
    "a server is limited": (
        lambda f: limit_server(by=SYSTEM, server=f.server, max_parallel=4),
        {"names", "servers"},
    ),
    "guests are ruled": (
        lambda f: set_guest_rules(by=SYSTEM, server=f.server, blocked_models=[f.model]),
        {"servers"},
    ),
    "a site is added": (lambda f: make_site(f.rennes), {"names", "servers"}),
    "a site is renamed": (
        lambda f: Site.objects.filter(pk=f.server.site_id).update(name="salle 2"),
        {"names", "servers"},
    ),
    "a credential is rotated": (
        lambda f: rotate_credential(by=SYSTEM, server=f.server, credential=Secret("new")),
        {"servers"},
    ),
    "an address is revoked": (
        lambda f: revoke_egress(by=SYSTEM, grant=EgressGrant.objects.get(server=f.server)),
        {"servers"},
    ),
    "a network is allowed": (
        lambda f: ask_site_egress(
            by=SYSTEM, site=f.server.site, wish=Wish("10.2.0.0/24", (8000,), "a VLAN")
        ),
        {"servers"},
    ),
    "a certificate is shown": (
        lambda f: show_certificate(by=SYSTEM, server=f.server, shown=SHOWN),
        {"servers"},
    ),
}


def changes_since(last: int) -> set[str]:
    connection.check_constraints()  # what a commit would do: the triggers are deferred
    return set(RoutingChange.objects.filter(pk__gt=last).values_list("section", flat=True))


def last_change() -> int:
    connection.check_constraints()
    return RoutingChange.objects.order_by("pk").values_list("pk", flat=True).last() or 0


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_matters_leaves_a_change(federation: Federation, name: str) -> None:
    write, sections = WRITES[name]
    before = last_change()

    write(federation)

    assert changes_since(before) == sections


@pytest.mark.parametrize(
    "write",
    [
        lambda f: ApiKey.objects.filter(pk=f.key.pk).update(last_used_on=date(2026, 1, 1)),
        lambda f: InferenceServer.objects.filter(pk=f.server.pk).update(name=f.server.name),
        lambda f: make_user("passer-by"),
        lambda f: AIModel.objects.filter(slug="nobody").update(slug="nothing"),
    ],
    ids=["last use of a key", "the same again", "a new account", "no row at all"],
)
def test_what_changes_nothing_of_the_table_leaves_no_change(
    federation: Federation, write: Callable[[Federation], object]
) -> None:
    before = last_change()

    write(federation)

    assert changes_since(before) == set()


@pytest.mark.django_db(transaction=True)
def test_the_clerk_is_woken_by_the_commit_of_a_change_and_by_nothing_else(
    federation: Federation,
) -> None:
    keys = ApiKey.objects.filter(pk=federation.key.pk)
    with listening() as listener:
        with transaction.atomic():
            keys.update(priority=1)
            assert heard(listener) == []
        assert {notify.channel for notify in heard(listener)} == {"routing_changed"}

        keys.update(last_used_on=date(2026, 1, 1))
        with transaction.atomic():
            keys.update(priority=2)
            transaction.set_rollback(True)
        assert heard(listener) == []


def test_a_use_and_a_change_in_one_write_is_a_change(federation: Federation) -> None:
    before = last_change()

    ApiKey.objects.filter(pk=federation.key.pk).update(last_used_on=date(2026, 1, 1), priority=2)

    assert changes_since(before) == {"principals"}


@pytest.mark.django_db(transaction=True)
def test_a_write_that_is_undone_leaves_no_change(federation: Federation) -> None:
    before = last_change()

    with transaction.atomic():
        Deployment.objects.update(served_name="other")
        transaction.set_rollback(True)

    assert changes_since(before) == set()


def test_a_deleted_row_is_named_in_its_change(federation: Federation) -> None:
    through = ApiKey.models.through
    row = through.objects.get()
    before = last_change()

    row.delete()
    connection.check_constraints()

    change = RoutingChange.objects.get(pk__gt=before)
    assert (change.object_type, change.section) == ("access_apikey_models", "principals")


@pytest.mark.django_db(transaction=True)
def test_ids_follow_the_order_of_commits(federation: Federation) -> None:
    """Whoever has read up to a change has read all before it: nobody commits a lower id afterwards."""
    writers, rounds, seen = 4, 12, threading.Event()
    gaps: list[tuple[int, set[int]]] = []

    def write(number: int) -> None:
        for n in range(rounds):
            with transaction.atomic():
                Site.objects.create(institution=federation.rennes, name=f"{number}-{n}")
        connection.close()

    def read() -> None:
        """Every look must be a beginning of the final sequence."""
        while not seen.is_set():
            ids = set(RoutingChange.objects.values_list("pk", flat=True))
            gaps.append((max(ids), ids))
        connection.close()

    reader = threading.Thread(target=read)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.set()
    reader.join()

    final = set(RoutingChange.objects.values_list("pk", flat=True))
    assert len(gaps) > 1
    assert all(ids == {pk for pk in final if pk <= last} for last, ids in gaps)


@contextmanager
def listening() -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url(), autocommit=True) as listener:
        listener.execute("LISTEN routing_changed")
        yield listener


def heard(listener: psycopg.Connection) -> list[psycopg.Notify]:
    """A commit has notified its listeners by the time that they hear from the server again."""
    listener.execute("SELECT 1")
    return list(listener.notifies(timeout=0))
