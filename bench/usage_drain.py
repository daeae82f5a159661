"""How fast the clerk stores usage: rows per second, and CPU per row of the clerk and of PostgreSQL.

    python bench/usage_drain.py [REQUESTS]

Makes a PostgreSQL and a spool of its own in a temporary folder (or uses DATABASE_URL's server, whose CPU it
then cannot see, on an empty database). A row is one request: its lines are an `open`, a `close` with one
attempt and, for every third, a `tick`. Goals: at least 5 000 rows a second, 15 µs of clerk CPU a row.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config.launch.environment import SECRETS  # noqa: E402
from config.launch.postgres import EmbeddedPostgres  # noqa: E402
from routing.core.accounting import Attempt, Closed, Opened, Record, Ticked, frame  # noqa: E402
from routing.core.enums import RequestStatus, UsageSource  # noqa: E402
from routing.core.ids import uuid7  # noqa: E402

REQUESTS = 100_000
CONCURRENT = 200  # requests open at once: their lines are mixed as in life
SEGMENT_BYTES = 8 * 1024 * 1024
IDS = [str(uuid7()) for _ in range(40)]


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    with tempfile.TemporaryDirectory(prefix="ilaas-bench-") as folder:
        var = Path(folder)
        server = None
        os.environ.update({name: make() for name, make in SECRETS.items()}, VAR=str(var))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        if "DATABASE_URL" not in os.environ:
            server = EmbeddedPostgres(var / "postgres", var / "pg", var / "postgres.log")
            os.environ["DATABASE_URL"] = server.start()
        try:
            measure(var / "spool", requests, server.process.pid if server and server.process else 0)
        finally:
            if server:
                server.stop()


def measure(spool: Path, requests: int, postmaster: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from billing.models import UsageRecord
    from billing.records import partitions
    from routing.bridge.spool import Drain

    call_command("migrate", verbosity=0)
    partitions.ensure_ahead(datetime.now(UTC).date())
    size = write_spool(spool, requests)
    drain = Drain(spool, running=lambda: None)
    clock, own, database = time.perf_counter(), time.process_time(), cpu_seconds(postmaster)
    steps = 0
    while drain.step():
        steps += 1
    clock = time.perf_counter() - clock
    own, database = time.process_time() - own, cpu_seconds(postmaster) - database
    stored = UsageRecord.objects.count()
    print(f"{stored} of {requests} rows from {size / 1e6:.0f} MB of spool in {steps} steps")
    print(f"{stored / clock:.0f} rows/s")
    print(f"clerk      {own / stored * 1e6:.1f} µs of CPU per row")
    if postmaster:
        print(f"PostgreSQL {database / stored * 1e6:.1f} µs of CPU per row")


def write_spool(folder: Path, requests: int) -> int:
    """Write the segments of one router that is gone, and the empty one of its successor."""
    folder.mkdir()
    router, number, size, lines = uuid7().hex, 1, 0, bytearray()
    for record in life(requests):
        lines += frame(record)
        if len(lines) > SEGMENT_BYTES:
            size += (folder / f"{router}-{number:06}.spool").write_bytes(lines)
            number += 1
            lines.clear()
    size += (folder / f"{router}-{number:06}.spool").write_bytes(lines)
    (folder / f"{uuid7().hex}-000001.spool").touch()
    return size


def life(requests: int) -> Iterator[Record]:
    """Yield what the router writes of requests that overlap."""
    running: list[Opened] = []
    for n in range(requests):
        opened = open_one(n)
        running.append(opened)
        yield opened
        if n % 3 == 0:
            yield Ticked(id=opened.id, server_id=IDS[n % 7], first_token_at=time.time(),
                         completion_tokens=40, at=time.time())  # fmt: skip
        if len(running) == CONCURRENT:
            yield close_one(running.pop(n % CONCURRENT))
    yield from map(close_one, running)


def open_one(n: int) -> Opened:
    return Opened(
        id=str(uuid7()),
        client_request_id=f"client-{n}",
        key_id=IDS[n % 40],
        application_id=IDS[n % 20],
        institution_id=IDS[n % 12],
        model_id=IDS[n % 6],
        model_asked="mistral-small-3.2-24b",
        endpoint="chat/completions",
        stream=bool(n % 2),
        priority=3,
        received_at=time.time(),
        prompt_estimate=700,
    )


def close_one(opened: Opened) -> Closed:
    now = time.time()
    return Closed(
        opened=opened,
        status=RequestStatus.OK,
        http_status=200,
        server_id=IDS[1],
        deployment_id=IDS[2],
        model_served="mistral-small-3.2-24b-instruct",
        prompt_tokens=712,
        cached_tokens=128,
        completion_tokens=230,
        reasoning_tokens=0,
        usage_source=UsageSource.SERVER,
        first_token_at=now,
        finished_at=now,
        attempts=(Attempt(server_id=IDS[1], deployment_id=IDS[2], started_at=now, outcome="ok"),),
    )


def cpu_seconds(postmaster: int) -> float:
    """Return the CPU that PostgreSQL's processes have used, those included that have ended."""
    if not postmaster:
        return 0.0
    family, found = {postmaster}, 0.0
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if pid == postmaster or int(fields[1]) in family:
            family.add(pid)
            found += sum(map(int, fields[11:13])) + (
                sum(map(int, fields[13:15])) if pid == postmaster else 0
            )
    return found / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
