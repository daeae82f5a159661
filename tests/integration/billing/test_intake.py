"""COPY, then one insert: each request once, with who served it, whatever its words hold."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import DataError, IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import Attempt, UsageRecord
from billing.records import intake
from routing.core.enums import Lane, Reason, RequestStatus, UsageSource
from routing.core.request import Explanation
from tests.integration.billing.conftest import Use, used
from tests.support.decisions import an_explanation
from tests.support.factories import make_application, make_institution, make_key, serve_model
from tests.support.records import attempt, closed, opened

pytestmark = pytest.mark.django_db


def test_a_request_stored_again_changes_nothing() -> None:
    request = closed(attempts=(attempt(),))

    assert intake.store([request]) == 1
    other = closed(request.opened, completion_tokens=999, attempts=(attempt(), attempt()))
    assert intake.store([request, other]) == 0

    assert UsageRecord.objects.get().completion_tokens == request.completion_tokens
    assert Attempt.objects.count() == 1


def test_a_record_keeps_the_labels_that_its_sites_had_to_carry() -> None:
    bound = closed(opened(data_class=("hds", "own")))
    free = closed()

    intake.store([bound, free])

    kept = dict(UsageRecord.objects.values_list("pk", "data_class"))
    assert kept == {UUID(bound.opened.id): "hds,own", UUID(free.opened.id): ""}


def test_nothing_to_store_is_stored() -> None:
    assert intake.store([]) == 0


def test_several_calls_in_one_transaction_do_not_mix() -> None:
    first, second = closed(), closed()
    with transaction.atomic():
        assert intake.store([first]) == 1
        assert intake.store([second]) == 1

    assert UsageRecord.objects.count() == 2


def test_the_institution_that_served_is_the_servers() -> None:
    reims = make_institution("reims")
    deployment = serve_model(reims)

    intake.store([used(deployment=deployment)])

    assert UsageRecord.objects.get().serving_institution_id == reims.pk


@pytest.mark.parametrize("server_id", [None, str(UUID(int=404))])
def test_without_a_known_server_a_record_waits_in_suspense(server_id: str | None) -> None:
    intake.store([closed(server_id=server_id)])

    record = UsageRecord.objects.get()
    assert record.serving_institution_id is None
    assert record.server_id == (UUID(server_id) if server_id else None)


def test_demonstration_data_is_marked() -> None:
    intake.store([closed()], is_demo=True)

    assert UsageRecord.objects.get().is_demo


@pytest.mark.parametrize(
    ("told", "kept"), [(-5, 0), (2**31, 2**31 - 1), (2**63 - 1, 2**31 - 1), (7, 7)]
)
def test_a_count_beyond_its_column_is_cut_to_it(told: int, kept: int) -> None:
    intake.store([closed(prompt_tokens=told, completion_tokens=told, audio_ms=told, images=told)])

    record = UsageRecord.objects.get()
    assert (record.prompt_tokens, record.completion_tokens) == (kept, kept)
    assert (record.audio_ms, record.images) == (kept, kept)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=300))
def test_any_text_of_a_client_or_a_server_is_kept_up_to_its_length(db: None, text: str) -> None:
    request = closed(
        opened(client_request_id=text, model_asked=text, endpoint=text),
        model_served=text,
        error_code=text,
        attempts=(attempt(text),),
    )

    intake.store([request])

    record = UsageRecord.objects.get(pk=request.opened.id)
    for field, limit in (("client_request_id", 128), ("model_asked", 200), ("model_served", 200),
                         ("endpoint", 64), ("error_code", 64)):  # fmt: skip
        assert getattr(record, field) == text[:limit].replace("\0", "")
    assert Attempt.objects.get(request_id=record.pk).outcome == text[:64].replace("\0", "")


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"server_id": "\\N\t"}, DataError),
        ({"http_status": 2**15}, DataError),
        ({"finished_at": float("inf")}, IntegrityError),
        ({"first_token_at": float("-inf")}, IntegrityError),
    ],
    ids=repr,
)
def test_a_record_that_cannot_be_undoes_the_whole_call(
    facts: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        intake.store([closed(), closed(**facts)])

    assert not UsageRecord.objects.exists()


def test_every_status_and_source_has_its_label() -> None:
    statuses = dict(UsageRecord._meta.get_field("status").flatchoices)
    sources = dict(UsageRecord._meta.get_field("usage_source").flatchoices)

    assert statuses.keys() == set(RequestStatus)
    assert sources.keys() == set(UsageSource)


def test_a_key_remembers_the_day_in_paris_on_which_it_was_last_used(use: Use) -> None:
    key, _text = make_key(make_application(make_institution("rennes")))

    use(key, at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))

    key.refresh_from_db()
    assert key.last_used_on == date(2026, 7, 2)


def test_an_older_use_that_comes_late_does_not_set_it_back(use: Use) -> None:
    key, _text = make_key(make_application(make_institution("rennes")))
    use(key, at=datetime(2026, 7, 10, 12, tzinfo=UTC))

    use(key, at=datetime(2026, 7, 1, 12, tzinfo=UTC))

    key.refresh_from_db()
    assert key.last_used_on == date(2026, 7, 10)


def test_a_key_is_written_once_a_day_however_often_it_is_used(use: Use) -> None:
    key, _text = make_key(make_application(make_institution("rennes")))
    use(key, at=datetime(2026, 7, 10, 9, tzinfo=UTC))
    written = row_version(key)

    for hour in range(10, 15):
        use(key, at=datetime(2026, 7, 10, hour, tzinfo=UTC))

    assert row_version(key) == written


def row_version(key: Any) -> tuple[Any, ...]:
    """Where PostgreSQL keeps the row: every update moves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid, cmin FROM access_apikey WHERE id = %s", [key.pk])
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def test_attempts_keep_when_they_ended_and_why_they_went_there() -> None:
    why = an_explanation(lane=Lane.OWNER, reason=Reason.KNOWN_PROMPT, known_tokens=900)
    first, second = attempt("lost", explanation=None, ended_at=None), attempt(explanation=why)

    intake.store([closed(attempts=(first, second))])

    before, after = Attempt.objects.order_by("n")
    assert (before.explanation, before.ended_at) == (None, None)
    assert msgspec.convert(after.explanation, Explanation) == why
    assert after.ended_at is not None
    assert second.ended_at is not None
    assert after.ended_at.timestamp() == pytest.approx(second.ended_at)
