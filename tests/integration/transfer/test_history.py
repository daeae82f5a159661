"""Past requests become usage records with their origin, once, and the view `metrics` shows them as they were."""

import os
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management.base import CommandError
from django.db import connection
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from billing.models import ImportedRequest, UsageRecord
from billing.records import intake
from billing.records.checks import findings
from config.launch.postgres import SUPERUSER
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from federation.journal.models import AuditEvent
from routing.bridge.transfer.history import COLUMNS
from routing.core.enums import LifecycleStage, UsageSource
from tests.integration.billing.conftest import used
from tests.support.database_url import database_url
from tests.support.dispatcher import METRICS, USERS, run, write
from tests.support.factories import Cast, make_application, make_key, serve_model


@pytest.fixture
def llama(cast: Cast) -> Deployment:
    """The one server of the past that still runs."""
    return serve_model(cast.rennes, "llama", url="http://127.0.0.1:8101", max_parallel=64)


@pytest.fixture
def folder(llama: Deployment, tmp_path: Path) -> Path:
    write(tmp_path, "users.csv", USERS)
    write(tmp_path, "metrics.csv", METRICS)
    return tmp_path


def bring(folder: Path, *more: str, apply: bool = True) -> list[str]:
    files = ("--users", folder / "users.csv", "--metrics", folder / "metrics.csv")
    return run("import_dispatcher", *files, *more, *(["--apply"] if apply else []))


def view() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM metrics ORDER BY request_date")
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_the_past_is_shown_before_it_is_taken(folder: Path) -> None:
    lines = bring(folder, apply=False)

    assert "+ model qwen-2.5-3b, retired: known from the requests alone" in lines
    assert (
        "+ former user “Gone” at rennes: known from the requests alone, with a key that never works"
        in lines
    )
    assert lines[-2:] == [
        "+ 3 past requests, of 3 that were read",
        "Nothing was changed: --apply does it.",
    ]
    assert not UsageRecord.objects.exists()


def test_past_requests_are_usage_of_the_same_keys_models_and_servers(
    folder: Path, llama: Deployment
) -> None:
    bring(folder)

    moodle, capytale, gone = UsageRecord.objects.order_by("id")
    assert moodle.key_id == ApiKey.objects.get(name="Moodle").pk
    assert (moodle.server_id, moodle.deployment_id) == (llama.server_id, llama.pk)
    assert (moodle.prompt_tokens, moodle.completion_tokens) == (12, 34)
    assert moodle.received_at == datetime(2026, 1, 12, 9, 0, 0, 500_000, tzinfo=UTC)
    assert (capytale.server_id, capytale.usage_source) == (None, UsageSource.NONE)
    assert AIModel.objects.get(pk=gone.model_id).stage == LifecycleStage.RETIRED
    assert not ApiKey.objects.get(pk=gone.key_id).is_usable
    assert set(ImportedRequest.objects.values_list("origin", flat=True)) == {"aristote-dispatcher"}
    assert findings() == []
    assert AuditEvent.objects.get(verb="billing.import_requests").diff == {"requests": 3}


def test_a_second_import_of_the_past_has_nothing_to_do(folder: Path) -> None:
    bring(folder)

    lines = bring(folder)

    assert lines[-2:] == ["+ 0 past requests, of 3 that were read", "Nothing to do."]
    assert UsageRecord.objects.count() == 3


def test_what_came_since_is_added(folder: Path) -> None:
    bring(folder)
    later = "4,Moodle,,2026-03-01 10:00:00,,,llama,http://127.0.0.1:8101,,,,,,,,,,\n"
    write(folder, "metrics.csv", METRICS + later)

    lines = bring(folder)

    assert lines[-2:] == ["+ 1 past requests, of 4 that were read", "Done."]


def test_panels_find_the_past_in_the_view_as_it_was_written(folder: Path) -> None:
    bring(folder)

    moodle, capytale, _ = view()
    del moodle["id"]
    assert moodle == {
        "user_name": "Moodle",
        "user_organization": "Université de Tours",
        "request_date": datetime(2026, 1, 12, 9, 0, 0, 500_000),  # noqa: DTZ001 - as the table had it
        "sent_to_llm_date": datetime(2026, 1, 12, 9, 0, 1),  # noqa: DTZ001
        "response_date": datetime(2026, 1, 12, 9, 0, 4),  # noqa: DTZ001
        "model": "llama",
        "server": "http://127.0.0.1:8101",
        "server_organization": "Rennes",
        "prompt_tokens": 12,
        "completion_tokens": 34,
        "strategy": "round-robin",
        "requeue_count": 2,
        "max_parallel_requests": 100,
        "current_parallel_requests": 7,
        "priority": 1,
        "performance_score": None,
        "routing_mode": "any",
    }
    assert (capytale["server"], capytale["server_organization"]) == (
        "https://gone.example",
        "Reims",
    )
    assert (capytale["prompt_tokens"], capytale["performance_score"]) == (None, 0.25)


def test_panels_find_new_requests_in_the_same_columns(cast: Cast, llama: Deployment) -> None:
    key, _ = make_key(make_application(cast.orleans, name="Celene"), name="Celene")
    intake.store([used(key, llama, at=datetime(2026, 4, 1, tzinfo=UTC))])
    intake.store([used(key, llama, at=datetime(2026, 4, 2, tzinfo=UTC))], is_demo=True)

    (row,) = view()

    assert list(row) == list(COLUMNS)
    assert (row["user_name"], row["user_organization"]) == ("Celene", "Orleans")
    assert (row["server"], row["server_organization"]) == ("http://127.0.0.1:8101", "Rennes")
    assert (row["model"], row["requeue_count"], row["max_parallel_requests"]) == ("llama", 0, 64)
    assert row["sent_to_llm_date"] is not None


@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="needs a superuser's password")
def test_a_role_may_read_the_view_and_nothing_behind_it(llama: Deployment) -> None:
    superuser = make_conninfo(database_url(), user=SUPERUSER)
    with psycopg.connect(superuser) as session, session.transaction(force_rollback=True):
        session.execute("CREATE ROLE panels")
        session.execute("GRANT SELECT ON metrics TO panels")
        session.execute("SET ROLE panels")
        session.execute("SELECT count(*) FROM metrics")
        with pytest.raises(InsufficientPrivilege), session.transaction():
            session.execute("SELECT count(*) FROM access_apikey")


def test_the_view_can_be_taken_away_and_made_again(folder: Path) -> None:
    bring(folder)
    before = view()
    migration = import_module("billing.migrations.0004_metrics_view")

    with connection.cursor() as cursor:
        cursor.execute(migration.BACKWARD)
        cursor.execute("SELECT to_regclass('metrics')")
        assert cursor.fetchone() == (None,)
        cursor.execute(migration.FORWARD)

    assert view() == before


def test_its_clock_may_have_stood_in_paris(folder: Path) -> None:
    bring(folder, "--time-zone", "Europe/Paris")

    first = UsageRecord.objects.order_by("id").first()
    assert first is not None
    assert first.received_at == datetime(2026, 1, 12, 8, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("2026-01-12 09:00:00.5", "yesterday", "metrics.csv line 2.request_date: must be a date"),
        ("2026-01-12 09:00:00.5", "2126-01-12", "metrics.csv line 2.request_date: lies before"),
        ("2026-01-12 09:00:00.5", "", "metrics.csv line 2.request_date: is empty"),
        ("12,34", "-12,34", "metrics.csv line 2.prompt_tokens: must be a whole number"),
        ("0.25", "fast", "metrics.csv line 3.performance_score: must be a number"),
        ("1,Moodle", "1,", "metrics.csv line 2.user_name: is empty"),
        ("qwen-2.5-3b", "<b>", "metrics.model: “<b>” can be no model's name"),
        ("3,Gone,Rennes", "3,Gone,Nowhere", "metrics.user_organization of “Gone”: is missing"),
        ("id,user_name", "id,person", "metrics.person: unknown"),
    ],
)
def test_a_dump_of_requests_that_is_wrong_is_refused_and_nothing_of_it_is_kept(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    before: str,
    after: str,
    told: str,
) -> None:
    write(folder, "metrics.csv", METRICS.replace(before, after))

    with pytest.raises(CommandError) as refusal:
        bring(folder)

    assert told in f"{capsys.readouterr().err}{refusal.value}"
    assert not UsageRecord.objects.exists()
    assert not ApiKey.objects.exists()
