"""Conditions and machines to try the impact of a request with; what was measured is in `validation`."""

from billing.impact.energy import Conditions, Instance
from billing.impact.hardware import H100
from billing.impact.interval import Interval


def llama(params: float = 8.03, n_gpu: int = 1) -> Instance:
    return Instance(params=params, active=params, bits=16, accelerator=H100, n_gpu=n_gpu)


def at(batch: float, **others: object) -> Conditions:
    return Conditions(batch_milli=round(batch * 1000), **others)  # type: ignore[arg-type]


NO_OVERHEAD = Interval(0, 0, 0)
