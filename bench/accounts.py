"""What many records cost: storing more of them, the pages that read them, a statement, and the close of a month.

    python bench/accounts.py [RECORDS]              # 10 million, about 40 minutes on 2 cores
    make bench-accounts RECORDS=1000000

Makes a PostgreSQL of its own in a temporary folder, unless DATABASE_URL names a database; with a register of 25
institutions, 30 servers, 8 models and 500 keys, and the records of 90 days, stored through the statement that stores
every record (`billing.records.intake`). A database that an earlier run has filled is only measured again. Goals: any
page of usage in under 200 ms, a statement in under 10 s, the close of a month in under 60 s; the last million costs
what the first did. Ends with 1 where a goal is missed.

Not in it: attempts, budgets and meters, whose own costs `usage_drain` and the router's measurements tell. Pages are
warm, the tables tidied: the median of seven.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config.launch.environment import SECRETS  # noqa: E402
from config.launch.postgres import EmbeddedPostgres  # noqa: E402

if TYPE_CHECKING:
    from django.test import Client

    from federation.people.models import User

RECORDS = 10_000_000
BATCH = 20_000
DAYS = 90
INSTITUTIONS, SERVERS, MODELS, KEYS = 25, 30, 8, 500
ROUNDS = 7
MISSED: list[float] = []
PAGE_GOAL_MS = 200
LOOKING = ("admin", "dsi", "owner")
STATEMENT_GOAL_S, CLOSE_GOAL_S = 10, 60
# Few keys ask most: the square of a number drawn evenly. Servers are drawn evenly, so few answer their own institution;
# every key asks every model everywhere, which no real one does: hours and days are summed as little as can be.
_GENERATE = """
INSERT INTO usage_staging (
    id, client_request_id, key_id, application_id, asking_institution_id, server_id, deployment_id, model_id,
    model_asked, model_served, endpoint, stream, priority, prompt_tokens, cached_tokens, completion_tokens,
    reasoning_tokens, usage_source, received_at, first_token_at, finished_at, status, http_status, error_code,
    attempts, data_class, asked_model_id, energy_method, energy_version, energy_mj, energy_low_mj, energy_high_mj,
    gpu_mj, gpu_ms, batch_milli, pue_milli, factors
)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(noise, 1, 3) || '8'
        || substr(noise, 4, 15))::uuid,
    '', key.id, key.application_id, key.institution_id, served.server_id, served.deployment_id,
    served.model_id, served.slug, served.served_name, 'chat/completions', luck < 0.5, 3,
    200 + (luck * 2000)::int, (luck * 150)::int, 50 + (luck * 700)::int, 0, 'server',
    extract(epoch FROM at), extract(epoch FROM at) + 0.05 + luck * luck * 9, extract(epoch FROM at) + 1 + luck * 30,
    CASE WHEN luck < 0.97 THEN 'ok' WHEN luck < 0.98 THEN 'abandoned' WHEN luck < 0.99 THEN 'refused'
        ELSE 'server_error' END,
    CASE WHEN luck < 0.98 THEN 200 ELSE 503 END, '', 1, '', NULL,
    'model', 1, (luck * 4e6)::bigint, (luck * 2e6)::bigint, (luck * 8e6)::bigint, (luck * 2e6)::bigint,
    (luck * 4e3)::bigint, 8000, 1250, 'FRA-1'
FROM (
    SELECT %(start)s + random() * (%(end)s - %(start)s::timestamptz) AS at, random() AS luck, random() AS who,
        random() AS where_, md5(random()::text) AS noise
    FROM generate_series(1, %(count)s)
) drawn
JOIN bench_key key ON key.n = floor(who * who * %(keys)s)
JOIN bench_served served ON served.n = floor(where_ * %(served)s)
"""
_REGISTER = """
CREATE TABLE bench_key AS
    SELECT row_number() OVER () - 1 AS n, key.id, key.application_id, application.institution_id
    FROM access_apikey key JOIN access_application application ON application.id = key.application_id;
CREATE TABLE bench_served AS
    SELECT row_number() OVER () - 1 AS n, deployment.server_id, deployment.id AS deployment_id, model.id AS model_id,
        model.slug, deployment.served_name
    FROM fleet_deployment deployment
    JOIN catalogue_modelversion version ON version.id = deployment.version_id
    JOIN catalogue_aimodel model ON model.id = version.model_id;
"""


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with database():
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        people = known_people()
        if not people:
            people = make_register()
            generate(records)
        tidy()
        measure_pages(people)
        measure_months(people["admin"])
        if MISSED:
            raise SystemExit(1)


@contextmanager
def database() -> Iterator[None]:
    """Run a PostgreSQL of our own, unless DATABASE_URL names a database elsewhere."""
    with tempfile.TemporaryDirectory(prefix="ilaas-bench-") as folder:
        var = Path(folder)
        server = None
        os.environ.update({name: make() for name, make in SECRETS.items()}, VAR=str(var))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        if "DATABASE_URL" not in os.environ:
            server = EmbeddedPostgres(var / "postgres", var / "pg", var / "postgres.log")
            os.environ["DATABASE_URL"] = server.start()
        try:
            yield
        finally:
            if server:
                server.stop()


def known_people() -> "dict[str, User]":
    """Return who looks at pages in a database that is filled already; nobody in an empty one."""
    from federation.people.models import User

    return {user.name: user for user in User.objects.filter(name__in=LOOKING)}


def make_register() -> "dict[str, User]":
    """Make who asks, serves and looks; return who looks at pages."""
    from datetime import timedelta

    from django.db import connection
    from django.utils import timezone

    from billing.models import FeeVersion, PriceVersion
    from billing.periods import last_days
    from billing.records import partitions
    from federation.people.enums import Role
    from tests.support.factories import (
        make_application,
        make_institution,
        make_key,
        make_user,
        serve_model,
    )

    begun = timezone.now() - timedelta(days=DAYS + 30)
    institutions = [make_institution(f"institution-{n}") for n in range(INSTITUTIONS)]
    for n in range(SERVERS):
        model = serve_model(institutions[n % INSTITUTIONS], f"model-{n % MODELS}").version.model
        if n < MODELS:
            PriceVersion.objects.create(
                model=model, valid_from=begun, prompt_nano=150, completion_nano=600
            )
    FeeVersion.objects.create(basis_points=300, valid_from=begun)
    admin = make_user("admin", Role.FEDERATION_ADMIN)
    dsi = make_user("dsi", Role.MEMBER_DSI, institution=institutions[0])
    owner = make_user("owner", Role.USER, institution=institutions[0])
    for n in range(KEYS):
        make_key(
            make_application(institutions[n % INSTITUTIONS], owner=owner if n % 100 == 0 else None)
        )
    months = last_days(DAYS + 32).days
    partitions.ensure(months[0], months[-1])
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER)
        cursor.execute("ANALYZE bench_key")
        cursor.execute("ANALYZE bench_served")
    return {"admin": admin, "dsi": dsi, "owner": owner}


def generate(records: int) -> None:
    """Store records day by day, as they come in life, and say what each tenth took."""
    from datetime import timedelta

    from django.db import connection, transaction
    from django.utils import timezone

    from billing.records import intake

    start = timezone.now() - timedelta(days=DAYS)
    batches = max(records // BATCH, 10)
    span = timedelta(days=DAYS) / batches
    facts = {"count": records // batches, "keys": KEYS, "served": SERVERS}
    print(f"{records} records of {DAYS} days in {batches} batches")
    stored, since = 0, time.perf_counter()
    for n in range(batches):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(intake.STAGING)
            moments = {"start": start + n * span, "end": start + (n + 1) * span}
            cursor.execute(_GENERATE, {**facts, **moments})
            stored += intake.store_staged(cursor)
        if (n + 1) % (batches // 10) == 0:
            took, since = time.perf_counter() - since, time.perf_counter()
            print(
                f"{stored:>10} stored, the last tenth in {took:.0f} s: {records / 10 / took:.0f} a second",
                flush=True,
            )


def tidy() -> None:
    """Do at once what autovacuum does in its time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def measure_pages(people: "dict[str, User]") -> None:
    from django.test.utils import override_settings

    from tests.support.pages import signed_in_as

    slowest = 0.0
    print(f"{calibration_ms():.0f} ms for the calibration loop, three million multiplications")
    with override_settings(ALLOWED_HOSTS=["*"]):
        for name, user in people.items():
            client = signed_in_as(user)
            for address in addresses():
                if name == "owner" and address.startswith("/accounts/"):
                    continue  # who reads no institution's accounts
                if client.get(address).status_code != HTTPStatus.OK:
                    raise SystemExit(f"{name} does not see {address}")
                took = median_ms(partial(client.get, address))
                slowest = max(slowest, took)
                print(f"{took:7.0f} ms  {name:<6} {address}{missed(took, PAGE_GOAL_MS)}")
    print(f"the slowest page takes {slowest:.0f} ms (goal {PAGE_GOAL_MS})")


def addresses() -> list[str]:
    from datetime import timedelta

    from billing.periods import paris_today

    first = paris_today().replace(day=1)
    whole = [
        f"/usage/?days={days}&scope={scope}"
        for days in (7, 30, 90)
        for scope in ("mine", "institution", "served", "federation")
    ]
    found = [*whole, *(f"{whole[-1]}&{part}" for part in ("model=model-3", "unit=requests"))]
    found += [f"/usage/?days=custom&first={first.replace(year=first.year - 1)}&last={first}"]
    middle = (first - timedelta(days=75)).replace(day=16)
    days = (
        f"first={middle}&last={middle + timedelta(days=60)}"  # most days of both months at its ends
    )
    found += [f"/usage/?days=custom&{days}&scope={scope}" for scope in ("served", "federation")]
    found += ["/", "/catalogue/", "/catalogue/model-0/", "/budgets/", "/prices/", "/impact/"]
    return [*found, *(f"/accounts/{page}" for page in ("", "transfers/", "months/", "balance/"))]


def missed(took: float, goal: float) -> str:
    """Return a mark for what takes longer than it should; the measurement then ends with 1."""
    if took <= goal:
        return ""
    MISSED.append(took)
    return f"   over {goal}"


def measure_months(admin: "User") -> None:
    """Close the months that are over, the first first, and read the largest statement of each in every form."""
    from django.test.utils import override_settings

    from billing.models import AccountingPeriod, UsageRecord
    from billing.operations.months import close_month, draft_month
    from billing.periods import last_days, paris_today
    from tests.support.pages import signed_in_as

    closed = AccountingPeriod.objects.filter(closed_at__isnull=False).values_list(
        "month", flat=True
    )
    months = [
        each
        for each in last_days(DAYS).months
        if each < paris_today().replace(day=1) and each not in closed
    ]
    client = signed_in_as(admin)
    for month in months:
        draft_month(by=admin, month=month)
        address = f"/accounts/months/{month:%Y-%m}/institution-0/"
        with override_settings(ALLOWED_HOSTS=["*"]):
            for state in ("draft", "closed"):
                if state == "closed":
                    took = seconds(partial(close_month, by=admin, month=month))
                    records = UsageRecord.objects.filter(booked_month=month).count()
                    print(
                        f"{took:7.2f} s   {month:%Y-%m} closed, {records} records (goal {CLOSE_GOAL_S} s)"
                        f"{missed(took, CLOSE_GOAL_S)}"
                    )
                for ending in ("", "pdf/", "csv/", "xlsx/"):
                    took = seconds(partial(whole_answer, client, address + ending))
                    over = missed(took, STATEMENT_GOAL_S)
                    print(
                        f"{took:7.2f} s   {state} {address}{ending} (goal {STATEMENT_GOAL_S} s){over}"
                    )


def whole_answer(client: "Client", address: str) -> None:
    answer = client.get(address)
    if answer.status_code != HTTPStatus.OK:
        raise SystemExit(f"{address}: {answer.status_code}")
    b"".join(answer)


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def calibration_ms() -> float:
    """Return what a fixed piece of work costs here: figures of two machines are compared by it."""
    took = []
    for _ in range(5):
        start, total = time.process_time(), 0
        for n in range(3_000_000):
            total += n * n
        took.append((time.process_time() - start) * 1000)
    return min(took)


def median_ms(act: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        act()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)


if __name__ == "__main__":
    main()
