"""Windows of measured energy as they come from the router's spool, and the machines that their work was done on."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from django.db import DataError, transaction

from billing.energy.hours import refuse_the_late
from billing.impact.energy import Instance
from billing.impact.hardware import find_accelerator
from billing.impact.weights import weight_bits
from billing.models import EnergyWindow
from billing.models.energy import LONGEST_FAULT, LONGEST_MACHINE, MOST_FAULTS
from federation.fleet.models import Deployment
from routing.core.accounting import Metered

MOST_COUNTED = 2**62
"""Of a server's words: what they are multiplied to is held within it, too."""


@transaction.atomic
def store_windows(told: Iterable[Metered]) -> None:
    """Store what is not yet stored, nor too late. Raises `DataError` or `IntegrityError` on what cannot be."""
    rows = refuse_the_late([_row(each) for each in told])
    EnergyWindow.objects.bulk_create(rows, ignore_conflicts=True)


def instance_at(deployment: Deployment) -> Instance | None:
    """Return what the model of energy takes of a deployment, None where model or machine are not known."""
    server, model = deployment.server, deployment.version.model
    accelerator = find_accelerator(server.gpu_type)
    bits = weight_bits(deployment.version.quantisation)
    if accelerator is None or not model.parameters or not bits:
        return None
    try:
        return Instance(
            params=float(model.parameters),
            active=float(model.active_parameters or model.parameters),
            bits=bits,
            accelerator=accelerator,
            n_gpu=server.gpu_count or 1,
        )
    except ValueError:
        return None


def machine_told(deployment: Deployment) -> str:
    """Return in one text what a deployment's energy is modelled from: another text, another calibration."""
    server, model = deployment.server, deployment.version.model
    facts = (
        server.gpu_type,
        server.gpu_count,
        model.parameters,
        model.active_parameters,
        deployment.version.quantisation,
    )
    return " · ".join("–" if fact in (None, "") else str(fact) for fact in facts)[:LONGEST_MACHINE]


def _row(told: Metered) -> EnergyWindow:
    prompt, cached, completion = told.tokens or (None, None, None)
    try:
        return EnergyWindow(
            server_id=UUID(told.server_id),
            probe_id=UUID(told.probe_id),
            start=datetime.fromtimestamp(told.start, UTC),
            end=datetime.fromtimestamp(told.end, UTC),
            scope=told.scope,
            measured_mj=told.mj,
            covered_ms=told.covered_ms,
            idle_mw=told.idle_mw,
            batch_milli=min(told.batch_milli, 2**31 - 1),
            prompt_tokens=_whole(prompt),
            cached_tokens=_whole(cached),
            completion_tokens=_whole(completion),
            faults=[fault[:LONGEST_FAULT] for fault in told.faults[:MOST_FAULTS]],
        )
    except (ValueError, OverflowError, OSError) as error:
        raise DataError(f"no window: {error}") from error


def _whole(count: int | None) -> int | None:
    return None if count is None else min(max(count, 0), MOST_COUNTED)
