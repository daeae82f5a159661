"""The rows of the router's table from which energy is reckoned and read: machines of deployments, meters of servers."""

from billing.energy.metering import machine_told
from billing.impact.energy import DEFAULT_OVERHEAD
from billing.impact.factors import SHIPPED
from billing.impact.hardware import ACCELERATORS, find_accelerator
from billing.impact.weights import weight_bits
from billing.models import EnergyCalibration
from federation.fleet.enums import MeterScope
from federation.fleet.models import Deployment, EnergyProbe, InferenceServer
from routing.core import table

LIMIT_TIMES = 1.5
"""Of what accelerators draw at most by their maker: beyond, a meter's reading is a fault."""
MOST_GPUS_UNTOLD = 8
"""Of a server whose number is not described."""


def machine_of(row: Deployment, calibration: EnergyCalibration | None = None) -> table.Machine:
    """Return what the energy of a deployment's answers is reckoned from; a calibration of another machine is none."""
    model, server = row.version.model, row.server
    if calibration is not None and calibration.machine != machine_told(row):
        calibration = None
    accelerator = find_accelerator(server.gpu_type)
    pue = server.site.pue
    active = model.active_parameters or model.parameters
    return table.Machine(
        params=float(model.parameters) if model.parameters else None,
        active=float(active) if active else None,
        bits=weight_bits(row.version.quantisation),
        gpu=accelerator.code if accelerator else None,
        gpus=server.gpu_count,
        pue_milli=round(pue * 1000) if pue else None,
        factors=SHIPPED[server.site.grid].name,
        calibration=calibration.factor if calibration else None,
        calibrated_scope=calibration.scope if calibration else "",
    )


def probe_row(row: EnergyProbe, server: InferenceServer) -> table.Probe:
    """Return a meter as the router reads it."""
    return table.Probe(
        id=str(row.pk),
        url=row.url,
        metric=row.metric,
        unit=row.unit,
        scope=row.scope,
        labels=tuple(sorted(row.labels.items())),
        multiplier=float(row.multiplier),
        idle_w=float(row.idle_w),
        limit_w=float(row.limit_w) if row.limit_w is not None else _most_watts(row, server),
    )


def _most_watts(row: EnergyProbe, server: InferenceServer) -> float:
    """Return what a server can draw; of accelerators that are not known, as the hungriest that is."""
    accelerator = find_accelerator(server.gpu_type)
    hungriest = max(each.tdp_w for each in ACCELERATORS.values())
    watts = (accelerator.tdp_w if accelerator else hungriest) * (
        server.gpu_count or (1 if accelerator else MOST_GPUS_UNTOLD)
    )
    overhead = DEFAULT_OVERHEAD.high if row.scope == MeterScope.SERVER else 0.0
    return max(LIMIT_TIMES * watts * (1 + overhead), float(row.idle_w))
