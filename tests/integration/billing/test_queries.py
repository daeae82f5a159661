"""What pages read: counts by day, model and key, totals, requests; each reader sees what is theirs."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.enums import Scope
from billing.models import Attempt, UsageRecord
from billing.periods import PARIS, Period, paris_today
from billing.records import partitions
from billing.usage import queries
from billing.usage.affected import DAYS, affected_by
from billing.usage.asked import Asked, scopes
from billing.usage.queries import (
    csv_rows,
    latest_requests,
    totals,
    usage_by_day,
    usage_by_key,
    usage_by_month,
)
from billing.usage.rows import NOTHING, Counts, Latency
from federation.access.models import ApiKey
from federation.catalogue.models import AIModel
from federation.people.enums import Role
from federation.people.models import User
from routing.core.enums import RequestStatus
from tests.integration.billing.conftest import Use
from tests.support.factories import (
    Cast,
    make_application,
    make_cast,
    make_key,
    make_user,
    serve_model,
)

pytestmark = pytest.mark.django_db
DAY = paris_today() - timedelta(days=3)
NOON = datetime.combine(DAY, time(12), PARIS)
TODAY = Period(DAY, DAY)


class Scene:
    """Rennes and Orléans ask, Rennes and Reims serve; the cast looks on."""

    def __init__(self) -> None:
        self.cast: Cast = make_cast()
        self.finance = make_user("finance", Role.FINANCE)
        self.at_rennes = serve_model(self.cast.rennes, "llama")
        self.at_reims = serve_model(self.cast.reims, "qwen")
        self.rennes_key = self._key("rennes", self.cast.rennes_dsi)
        self.user_key = self._key("rennes", self.cast.rennes_user)
        self.orleans_key = self._key("orleans", self.cast.orleans_user)

    def _key(self, institution: str, owner: User) -> ApiKey:
        application = make_application(getattr(self.cast, institution), owner=owner)
        return make_key(application, name=f"key of {owner.name}")[0]

    def person(self, name: str) -> User:
        user: User = User.objects.get(name=name)
        return user


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_days_use_is_counted_by_model(scene: Scene, use: Use) -> None:
    use(scene.user_key, scene.at_rennes, at=NOON, prompt_tokens=10, completion_tokens=5)
    use(scene.user_key, scene.at_rennes, at=NOON, status=RequestStatus.SERVER_ERROR)
    use(scene.user_key, scene.at_reims, at=NOON + timedelta(days=1))

    rows = usage_by_day(Asked(scene.cast.rennes_user, Period(DAY, DAY + timedelta(days=1))))

    assert [(row.day, row.model, row.counts.requests, row.counts.errors) for row in rows] == [
        (DAY, "llama", 2, 1),
        (DAY + timedelta(days=1), "qwen", 1, 0),
    ]
    assert rows[0].counts == Counts(2, 1, 110, 40, 55, 10)


@pytest.mark.parametrize(
    ("finished", "day"),
    [
        (datetime(2026, 6, 9, 22, 0, tzinfo=UTC), date(2026, 6, 10)),
        (datetime(2026, 6, 9, 21, 59, 59, tzinfo=UTC), date(2026, 6, 9)),
        (datetime(2026, 1, 9, 23, 0, tzinfo=UTC), date(2026, 1, 10)),
        (datetime(2026, 1, 9, 22, 59, 59, tzinfo=UTC), date(2026, 1, 9)),
    ],
)
def test_a_request_belongs_to_the_day_in_paris_on_which_it_ended(
    scene: Scene, use: Use, finished: datetime, day: date
) -> None:
    arrived = finished - timedelta(minutes=10)
    use(scene.user_key, at=arrived, finished_at=finished.timestamp())
    user = scene.cast.rennes_user

    assert [row.day for row in usage_by_day(Asked(user, Period(day, day)))] == [day]
    for other in (day - timedelta(days=1), day + timedelta(days=1)):
        assert usage_by_day(Asked(user, Period(other, other))) == []


def test_abandoned_requests_are_no_errors(scene: Scene, use: Use) -> None:
    for status in RequestStatus:
        use(scene.user_key, at=NOON, status=status)

    counts = totals(Asked(scene.cast.rennes_user, TODAY)).counts

    assert (counts.requests, counts.errors) == (6, 4)


def test_keys_come_with_the_most_used_first(scene: Scene, use: Use) -> None:
    use(scene.user_key, scene.at_rennes, at=NOON, completion_tokens=1)
    use(scene.rennes_key, scene.at_reims, at=NOON, completion_tokens=1000)
    reader = scene.cast.rennes_dsi

    assert [(row.key, row.institution) for row in usage_by_key(Asked(reader, TODAY))] == [
        ("key of rennes_dsi", "Rennes"),
        ("key of rennes_user", "Rennes"),
    ]


def test_a_model_that_is_not_in_the_register_shows_its_id(scene: Scene, use: Use) -> None:
    record = use(scene.user_key, at=NOON)

    (row,) = usage_by_day(Asked(scene.cast.rennes_user, TODAY))

    assert row.model == str(record.model_id)


def test_the_wait_for_the_first_token_is_told_in_percentiles(scene: Scene, use: Use) -> None:
    for milliseconds in range(10, 1010, 10):
        arrived = NOON.timestamp()
        use(scene.user_key, at=NOON, first_token_at=arrived + milliseconds / 1000)
    use(scene.user_key, at=NOON, first_token_at=None)

    assert totals(Asked(scene.cast.rennes_user, TODAY)).latency == Latency(500, 1000, 1000)


def test_a_wait_beyond_every_bound_has_none(scene: Scene, use: Use) -> None:
    use(scene.user_key, at=NOON, first_token_at=NOON.timestamp() + 31)

    assert totals(Asked(scene.cast.rennes_user, TODAY)).latency == Latency(None, None, None)


def test_a_first_token_before_the_request_is_no_wait(scene: Scene, use: Use) -> None:
    use(scene.user_key, at=NOON, first_token_at=NOON.timestamp() - 3)

    assert totals(Asked(scene.cast.rennes_user, TODAY)).latency == Latency(100, 100, 100)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 1, 10), date(2026, 4, 20)),
        (date(2026, 2, 1), date(2026, 3, 31)),
        (date(2026, 2, 28), date(2026, 3, 1)),
        (date(2025, 12, 31), date(2026, 5, 1)),
    ],
)
def test_months_and_days_add_up_to_the_period(
    scene: Scene, use: Use, first: date, last: date
) -> None:
    asked = Period(date(2025, 12, 1), date(2026, 5, 31)).days
    for day in asked[::3]:
        use(scene.user_key, scene.at_rennes, at=datetime.combine(day, time(12), PARIS))
    inside = [day for day in asked[::3] if first <= day <= last]
    user, period = scene.cast.rennes_user, Period(first, last)

    by_month = usage_by_month(Asked(user, period))

    assert totals(Asked(user, period)).counts.requests == len(inside)
    assert sum(row.counts.requests for row in usage_by_key(Asked(user, period))) == len(inside)
    assert {row.day: row.counts.requests for row in by_month} == Counter(
        day.replace(day=1) for day in inside
    )


def test_without_any_use_everything_is_nothing(scene: Scene) -> None:
    user = scene.cast.rennes_user

    found = totals(Asked(user, TODAY))

    assert (found.counts, found.latency) == (Counts(0, 0, 0, 0, 0, 0), None)
    for rows in (usage_by_day, usage_by_key):
        assert rows(Asked(user, TODAY)) == []
    assert latest_requests(Asked(user, TODAY), 10) == []
    assert list(csv_rows(Asked(user, TODAY))) == []


def test_a_request_is_told_with_the_names_of_all_that_took_part(scene: Scene, use: Use) -> None:
    record = use(scene.user_key, scene.at_reims, at=NOON, first_token_at=NOON.timestamp() + 0.25)

    (told,) = latest_requests(Asked(scene.cast.rennes_user, TODAY), 5)

    assert (told.id, told.model, told.serving, told.asking) == (
        record.pk,
        "qwen",
        "Reims",
        "Rennes",
    )
    assert told.server == scene.at_reims.server.name
    assert (told.key, told.application) == (scene.user_key.name, scene.user_key.application.name)
    assert (told.first_token_ms, told.duration_ms) == (250, 2000)


def test_the_latest_requests_come_first_and_no_more_than_asked(scene: Scene, use: Use) -> None:
    ids = [use(scene.user_key, at=NOON + timedelta(minutes=n)).pk for n in range(4)]

    assert [row.id for row in latest_requests(Asked(scene.cast.rennes_user, TODAY), 3)] == ids[
        :0:-1
    ]


def test_the_latest_requests_are_those_of_the_period(scene: Scene, use: Use) -> None:
    use(scene.user_key, at=NOON - timedelta(days=2))

    assert latest_requests(Asked(scene.cast.rennes_user, TODAY), 3) == []


def test_an_export_holds_each_request_of_the_period_once(
    scene: Scene, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHUNK", 3)
    ids = [use(scene.user_key, at=NOON + timedelta(seconds=n)).pk for n in range(7)]
    use(scene.user_key, at=NOON - timedelta(days=2))

    assert [row.id for row in csv_rows(Asked(scene.cast.rennes_user, TODAY))] == ids


SEEN = {
    "admin": {"rennes", "user", "orleans"},
    "auditor": {"rennes", "user", "orleans"},
    "finance": {"rennes", "user", "orleans"},
    "rennes_dsi": {"rennes", "user", "orleans"},  # Orléans was served at Rennes
    "rennes_user": {"user"},
    "reims_dsi": {"rennes"},  # what Reims served
    "orleans_user": {"orleans"},
    "intruder": set(),
}


@pytest.fixture
def records(scene: Scene, use: Use) -> dict[str, UsageRecord]:
    return {
        "rennes": use(scene.rennes_key, scene.at_reims, at=NOON),
        "user": use(scene.user_key, scene.at_rennes, at=NOON),
        "orleans": use(scene.orleans_key, scene.at_rennes, at=NOON),
    }


def test_everyone_sees_their_own_and_an_overseer_what_the_institution_asked_or_served(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    for name, names in SEEN.items():
        reader, expected = scene.person(name), {records[which].pk for which in names}

        seen = UsageRecord.objects.for_user(reader).values_list("pk", flat=True)
        attempts = Attempt.objects.for_user(reader).values_list("request_id", flat=True)
        told = {row.id for row in latest_requests(Asked(reader, TODAY), 10)}
        exported = {row.id for row in csv_rows(Asked(reader, TODAY))}
        assert set(seen) == set(attempts) == told == exported == expected, name
        for rows in (usage_by_day, usage_by_key):
            counted = sum(row.counts.requests for row in rows(Asked(reader, TODAY)))
            assert counted == len(expected), name
        assert totals(Asked(reader, TODAY)).counts.requests == len(expected), name


def test_a_visitor_and_a_closed_account_see_nothing(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    User.objects.filter(name="admin").update(is_active=False)

    assert not UsageRecord.objects.for_user(AnonymousUser()).exists()
    assert not UsageRecord.objects.for_user(scene.person("admin")).exists()


def test_whoever_served_a_request_learns_who_asked_but_not_with_which_key(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    reader = scene.cast.reims_dsi

    (row,) = usage_by_key(Asked(reader, TODAY))
    (request,) = latest_requests(Asked(reader, TODAY), 10)

    assert (row.key_id, row.key, row.application, row.institution) == (None, "", "", "Rennes")
    assert (request.key, request.application, request.client_request_id) == ("", "", "")
    assert request.asking == "Rennes"


SCOPES: dict[tuple[str, Scope], set[str]] = {
    ("admin", Scope.FEDERATION): {"rennes", "user", "orleans"},
    ("admin", Scope.MINE): set(),
    ("rennes_dsi", Scope.MINE): {"rennes"},
    ("rennes_dsi", Scope.INSTITUTION): {"rennes", "user"},
    ("rennes_dsi", Scope.SERVED): {"user", "orleans"},
    ("rennes_user", Scope.MINE): {"user"},
    ("rennes_user", Scope.FEDERATION): {"user"},
    ("rennes_user", Scope.INSTITUTION): set(),
    ("intruder", Scope.FEDERATION): set(),
    ("intruder", Scope.SERVED): set(),
}


def test_a_scope_is_a_part_of_what_its_reader_may_see(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    names = {record.pk: name for name, record in records.items()}
    found = {
        (name, scope): {
            names[row.id] for row in csv_rows(Asked(scene.person(name), TODAY, scope=scope))
        }
        for name, scope in SCOPES
    }

    assert found == SCOPES


@pytest.mark.parametrize("with_model", [False, True])
def test_in_each_scope_the_keys_are_what_the_totals_are(
    scene: Scene, use: Use, records: dict[str, UsageRecord], *, with_model: bool
) -> None:
    """Whichever sums are read; and in what was served own keys have their names, others' only their institution."""
    use(scene.rennes_key, scene.at_rennes, at=NOON)
    model = records["rennes"].model_id if with_model else None
    for name, scope in SCOPES:
        reader = scene.person(name)
        rows = usage_by_key(Asked(reader, TODAY, scope=scope, model=model))
        whole = totals(Asked(reader, TODAY, scope=scope, model=model)).counts

        assert sum((row.counts for row in rows), start=NOTHING) == whole, (name, scope)
        assert all(row.counts.requests > 0 for row in rows)
    served = usage_by_key(Asked(scene.person("rennes_dsi"), TODAY, scope=Scope.SERVED))
    assert sorted((row.institution, row.key_id is None) for row in served) == [
        ("Orleans", True),
        ("Rennes", False),
        ("Rennes", False),
    ]


def test_only_scopes_that_hold_something_more_are_offered(scene: Scene) -> None:
    offered = {
        "admin": [Scope.MINE, Scope.FEDERATION],
        "finance": [Scope.MINE, Scope.FEDERATION],
        "rennes_dsi": [Scope.MINE, Scope.INSTITUTION, Scope.SERVED],
        "rennes_user": [Scope.MINE],
        "intruder": [Scope.MINE],
    }

    assert {name: scopes(scene.person(name)) for name in offered} == offered


def test_a_page_may_ask_for_a_model_a_key_or_an_application(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    reader = scene.cast.rennes_dsi

    def ids(**narrow: Any) -> set[UUID]:
        return {row.id for row in csv_rows(Asked(reader, TODAY, **narrow))}

    model = AIModel.objects.get(slug="qwen")
    assert ids(model=model.pk) == {records["rennes"].pk}
    assert ids(key=scene.user_key.pk) == {records["user"].pk}
    assert ids(application=scene.rennes_key.application_id) == {records["rennes"].pk}
    assert ids(key=uuid4()) == ids(model=uuid4()) == ids(application=uuid4()) == set()


def test_nobody_asks_by_a_key_that_is_not_theirs_to_see(
    scene: Scene, records: dict[str, UsageRecord]
) -> None:
    reader = scene.cast.rennes_dsi
    key = scene.orleans_key

    assert totals(Asked(reader, TODAY, key=key.pk)).counts.requests == 0
    assert totals(Asked(reader, TODAY, application=key.application_id)).counts.requests == 0


def test_the_queries_are_as_many_for_one_request_as_for_many(scene: Scene, use: Use) -> None:
    reader = scene.cast.rennes_dsi
    reads: dict[str, Callable[[], object]] = {
        "day": lambda: usage_by_day(Asked(reader, TODAY)),
        "key": lambda: usage_by_key(Asked(reader, TODAY)),
        "totals": lambda: totals(Asked(reader, TODAY)),
        "latest": lambda: latest_requests(Asked(reader, TODAY), 100),
        "csv": lambda: list(csv_rows(Asked(reader, TODAY))),
    }
    scene.cast.rennes_dsi.grants  # noqa: B018  # read once per person, whatever the page
    counted = []

    for size in (1, 3):
        for n in range(size):
            deployment = serve_model(scene.cast.rennes, f"model-{size}-{n}")
            key, _text = make_key(make_application(scene.cast.rennes))
            use(key, deployment, at=NOON)
        counted.append({name: number_of_queries(read) for name, read in reads.items()})

    assert counted[0] == counted[1]


def test_a_period_reads_the_partitions_of_its_months_alone(scene: Scene) -> None:
    partitions.ensure(date(2031, 1, 1), date(2031, 4, 1))
    period = Period(date(2031, 2, 3), date(2031, 2, 20))

    plan = UsageRecord.objects.for_user(scene.cast.rennes_dsi).ended_in(period).explain()

    assert "2031_02" in plan
    assert [month for month in ("2031_01", "2031_03", "2031_04") if month in plan] == []


def number_of_queries(read: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        read()
    return len(captured)


def test_whom_a_server_would_be_missing_is_read_from_the_sums(scene: Scene, use: Use) -> None:
    """By institution and model, the most requests first, of the last days alone; each reader what is theirs."""
    for _twice in range(2):
        use(scene.orleans_key, scene.at_rennes, at=NOON)
    use(scene.user_key, scene.at_rennes, at=NOON, status=RequestStatus.SERVER_ERROR)
    use(scene.user_key, scene.at_reims, at=NOON)
    use(scene.user_key, scene.at_rennes, at=NOON - timedelta(days=DAYS))

    with CaptureQueriesContext(connection) as asked:
        told = affected_by(scene.cast.rennes_dsi, scene.at_rennes.server)

    orleans, rennes = scene.cast.orleans.short_name, scene.cast.rennes.short_name
    assert told == [(orleans, "llama", 2, 0), (rennes, "llama", 1, 0)]
    assert affected_by(scene.cast.orleans_user, scene.at_rennes.server) == told[:1]
    assert not any(UsageRecord._meta.db_table in each["sql"] for each in asked.captured_queries)
