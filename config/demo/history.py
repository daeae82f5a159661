"""Stores the demonstration's past usage: 60 days at first, later the days since the last run.

And of the year before a day, so that there is a year that is over.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing.models import UsageRecord
from billing.records import intake, partitions
from config.demo.attempts import Offered, Runner
from config.demo.building import Register
from config.demo.catalogue import MODELS
from config.demo.rhythm import PARIS
from config.demo.usage import PERIOD, Asker, requests_between
from federation.catalogue.enums import Capability
from federation.catalogue.models import AIModel
from federation.fleet.models import Deployment
from routing.bridge.machines import machine_of
from routing.core.accounting import Closed
from routing.core.enums import RoutingSetting

BATCH = 20_000
DAY = timedelta(days=1)
TUESDAY = 1


def pilot_day(now: datetime) -> datetime:
    """Return when the day of last year ends: a Tuesday in December, before everything else."""
    first = datetime((now - PERIOD).year - 1, 12, 1, tzinfo=PARIS)
    return first + timedelta(days=(TUESDAY - first.weekday()) % 7 + 1)


def make_room(now: datetime) -> None:
    """Make the months' partitions. In a transaction of its own: it keeps readers waiting."""
    partitions.ensure((now - PERIOD).date(), now.date())
    december = pilot_day(now).date()
    partitions.ensure(december, december)


def fill(register: Register, now: datetime) -> int:
    """Store what is missing up to `now`; return how many requests that are."""
    stored, batch = 0, list[Closed]()
    for request in _missing(register, now):
        batch.append(request)
        if len(batch) == BATCH:
            stored += intake.store(batch, is_demo=True)
            batch.clear()
    return stored + intake.store(batch, is_demo=True)


def _missing(register: Register, now: datetime) -> Iterator[Closed]:
    askers, offered = _askers(register), _offered(register)
    last = UsageRecord.objects.filter(is_demo=True).order_by("-pk").first()
    if last is None:
        pilot = pilot_day(now)
        yield from requests_between(pilot - DAY, pilot, askers, offered)
    since = max(last.received_at, now - PERIOD) if last else now - PERIOD
    yield from requests_between(since, now, askers, offered)


def _askers(register: Register) -> list[Asker]:
    return [
        Asker(plan, str(key.pk), str(key.application_id), str(key.application.institution_id))
        for plan, key in register.applications
    ]


def _offered(register: Register) -> dict[str, Offered]:
    runners = _runners(register)
    rows = AIModel.objects.in_bulk([plan.slug for plan in MODELS], field_name="slug")
    return {
        plan.slug: Offered(
            id=str(rows[plan.slug].pk),
            slug=plan.slug,
            context_length=plan.context_length,
            reasons=Capability.REASONING in plan.facts["capabilities"],
            hears=Capability.TRANSCRIPTION in plan.facts["capabilities"],
            takes_turns=plan.setting is RoutingSetting.ROUND_ROBIN_REQUEUE,
            runners=tuple(runners[plan.slug]),
        )
        for plan in MODELS
    }


def _runners(register: Register) -> dict[str, list[Runner]]:
    """Who serves each model, in the order of the demonstration's servers."""
    found: dict[str, list[Runner]] = {plan.slug: [] for plan in MODELS}
    rows = {
        (row.server_id, row.served_name): row
        for row in Deployment.objects.filter(
            server__in=[row for _plan, row in register.servers]
        ).select_related("version__model", "server__site")
    }
    for plan, server in register.servers:
        for model_name, served_name in plan.serves.items():
            found[model_name].append(
                Runner(
                    server_id=str(server.pk),
                    deployment_id=str(rows[server.pk, served_name].pk),
                    served_name=served_name,
                    institution=plan.institution,
                    speed=plan.speed,
                    tells_usage=plan.simulated != "llamacpp",
                    machine=machine_of(rows[server.pk, served_name]),
                )
            )
    return found
