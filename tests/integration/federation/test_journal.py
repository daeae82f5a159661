"""The journal on the real database: it only grows, keeps its order under a crowd, and shows every tampering."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction

from federation.access import operations as access
from federation.journal.actors import CommandActor
from federation.journal.chain import verify
from federation.journal.models import AuditEvent
from federation.journal.operations import record
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, Cast, make_institution, make_user

WRITERS, EVENTS_EACH = 6, 5


def run_sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def tamper(statement: str) -> None:
    """Change the journal as someone who may do everything in the database can."""
    run_sql("ALTER TABLE journal_auditevent DISABLE TRIGGER the_journal_only_grows")
    run_sql(statement)
    run_sql("ALTER TABLE journal_auditevent ENABLE TRIGGER the_journal_only_grows")


def verified() -> str:
    output = StringIO()
    call_command("verify_journal", stdout=output)
    return output.getvalue().strip()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_auditevent SET verb = 'other' WHERE seq = 2",
        "DELETE FROM journal_auditevent WHERE seq = 2",
        "DELETE FROM journal_auditevent",
    ],
)
def test_the_database_refuses_to_change_or_remove_an_event(cast: Cast, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        run_sql(statement)

    assert verified().startswith("The journal is whole")


def test_everything_that_the_cast_took_is_told_in_one_whole_chain(cast: Cast) -> None:
    events = AuditEvent.objects.order_by("seq")

    count, head = verify(events)

    assert count == events.count() > 20
    assert verified() == f"The journal is whole: {count} events, last hash {head}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_auditevent SET verb = 'other' WHERE seq = 3",
        'UPDATE journal_auditevent SET diff = \'{"slug": "x"}\' WHERE seq = 3',
        "UPDATE journal_auditevent SET at = at + interval '1 s' WHERE seq = 3",
        "DELETE FROM journal_auditevent WHERE seq = 3",
        "DELETE FROM journal_auditevent WHERE seq = 1",
    ],
)
def test_what_was_done_behind_the_trigger_shows(cast: Cast, statement: str) -> None:
    tamper(statement)

    with pytest.raises(CommandError, match=r"The journal is not whole: event [134]"):
        verified()


def test_an_inserted_event_shows(cast: Cast) -> None:
    columns = ", ".join(
        str(field.column)
        for field in AuditEvent._meta.concrete_fields
        if field.name not in {"id", "seq", "hash", "prev_hash"}
    )
    tamper(
        f"INSERT INTO journal_auditevent (id, seq, prev_hash, hash, {columns})"
        f" SELECT gen_random_uuid(), (SELECT max(seq) + 1 FROM journal_auditevent), 'a', 'b', {columns}"
        " FROM journal_auditevent WHERE seq = 1"
    )

    with pytest.raises(CommandError, match="does not follow"):
        verified()


def test_an_empty_journal_is_whole(db: None) -> None:
    assert verified().startswith("The journal is whole: 0 events")


def test_an_empty_journal_of_a_register_that_has_rows_is_not_whole(cast: Cast) -> None:
    tamper("DELETE FROM journal_auditevent")

    with pytest.raises(CommandError, match="the register has rows, the journal none"):
        verified()


GROWING = """
SELECT tgrelid::regclass::text FROM pg_trigger
WHERE NOT tgisinternal AND tgtype & 1 = 1 AND tgtype & 2 = 2 AND tgtype & 8 = 8 AND tgtype & 16 = 16
"""
"""Tables with a row trigger before both UPDATE and DELETE: what refuses both is append-only."""


def test_no_table_that_only_grows_is_emptied(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(GROWING)
        tables = {name for (name,) in cursor.fetchall()}
        cursor.execute("SET LOCAL ilaas.may_truncate = 'off'")

    for table in tables:
        with pytest.raises(IntegrityError, match=f"table {table} is"), transaction.atomic():
            run_sql(f"TRUNCATE {table} CASCADE")
    assert {"journal_auditevent", "members_storedfile", "catalogue_modelversion"} <= tables


@pytest.mark.django_db(transaction=True)
def test_a_whole_register_is_not_flushed(transactional_db: None) -> None:
    make_user("writer")
    run_sql("SET ilaas.may_truncate = 'off'")
    try:
        with pytest.raises(CommandError):
            call_command("flush", interactive=False)
    finally:
        run_sql("RESET ilaas.may_truncate")

    assert verified().startswith("The journal is whole")


def test_a_value_of_any_kind_is_verified_as_the_database_gives_it_back(cast: Cast) -> None:
    diff: dict[str, Any] = {
        "text": "Université « Côte d'Azur » 🌊",
        "uuid": cast.rennes.pk,
        "moment": cast.rennes.created_at,
        "decimal": cast.rennes.weight,
        "nothing": None,
        "list": [1, [True, False]],
        "z": {"b": 1, "a": 2},
    }

    record(by=OPERATOR, verb="tests.act", obj=cast.rennes, diff=diff)

    assert verified().startswith("The journal is whole")


def test_the_journal_names_people_by_pseudonym_alone(cast: Cast) -> None:
    zenobia = make_user("zenobia", Role.USER, cast.rennes)
    access.create_application(by=zenobia, institution=cast.rennes, name="notes")

    written = str(list(AuditEvent.objects.values()))

    assert str(zenobia.pseudonym) in written
    assert "zenobia" not in written


def test_an_act_that_fails_leaves_no_event(cast: Cast) -> None:
    before = AuditEvent.objects.count()

    with transaction.atomic():
        record(by=cast.admin, verb="tests.act", obj=cast.rennes)
        transaction.set_rollback(True)

    assert AuditEvent.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_a_crowd_writes_one_chain_without_a_gap(transactional_db: None) -> None:
    institution = make_institution("rennes")
    person = make_user("writer")
    before = AuditEvent.objects.count()

    at_once([lambda: write_events(person, institution)] * WRITERS)

    count, _head = verify(AuditEvent.objects.order_by("seq"))
    assert count == before + WRITERS * EVENTS_EACH


def write_events(person: User, institution: Institution) -> None:
    for number in range(EVENTS_EACH):
        by = person if number % 2 else CommandActor("tests")
        record(by=by, verb="tests.act", obj=institution, diff={"n": number})
