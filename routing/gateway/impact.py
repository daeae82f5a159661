"""The energy of an answer, and what a client that asks hears of it: `x-ilaas-impact`, `usage.impact`, `usage.carbon`.

Reckoned once, when the answer's usage is known: what the client hears is what the accounts keep.
"""

from collections.abc import Container, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from billing.impact.carbon import usage_carbon, usage_impact
from billing.impact.energy import (
    DEFAULT_PUE_MILLI,
    Calibration,
    Conditions,
    Estimate,
    Instance,
    Tokens,
    estimate,
    estimate_gpu_time,
)
from billing.impact.enums import Method, Scope
from billing.impact.factors import NAMED, embodied, impact
from billing.impact.hardware import ACCELERATORS
from routing.core.accounting import Energy
from routing.core.enums import Told
from routing.core.sse import read_object
from routing.core.table import Machine, Principal
from routing.core.usage import WRITING, Usage
from routing.gateway.entry import Entry

IMPACT = b"x-ilaas-impact"
"""In a request what is wanted, `1` or `impact`, `carbon`, or both; in an answer the figures as JSON."""
_YES = {"1", "true", "yes"}
_KNOWN = _YES | set(Told)
_MILLI = 1_000
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Reckoned(NamedTuple):
    """What the accounts keep, and the estimate that it is made of."""

    energy: Energy
    estimate: Estimate


class Impact:
    """What the answer to one request takes, reckoned once for each count of its tokens, and what its client hears."""

    def __init__(self, header: bytes, principal: Principal, entry: Entry) -> None:
        self.wishes = wanted(header.decode(errors="replace"), principal)
        self._entry = entry
        self._machine = Machine()
        self._endpoint = ""
        self._known: tuple[Usage, Reckoned] | None = None

    def begin(self, machine: Machine, endpoint: str) -> None:
        """Forget what an attempt before took: another is made on `machine`."""
        self._machine, self._endpoint, self._known = machine, endpoint, None

    def energy(self, usage: Usage) -> Energy:
        return self._reckon(usage).energy

    def told(self, usage: Usage) -> Mapping[str, object]:
        """Return what the client asked to hear of its answer."""
        return told_of(self._machine, self._reckon(usage), self.wishes)

    def _reckon(self, usage: Usage) -> Reckoned:
        if self._known is None or self._known[0] != usage:
            self._known = usage, reckon(self._machine, self._endpoint, usage, *self._entry.service)
        return self._known[1]


@lru_cache(maxsize=4096)
def instance_of(machine: Machine) -> Instance | None:
    """Return what the model of energy takes; None when the model's size or the accelerators are not known."""
    accelerator = ACCELERATORS.get(machine.gpu or "")
    if accelerator is None or not (machine.params and machine.active and machine.bits):
        return None
    try:
        return Instance(
            params=machine.params,
            active=machine.active,
            bits=machine.bits,
            accelerator=accelerator,
            n_gpu=machine.gpus or 1,
        )
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def calibration_of(machine: Machine) -> Calibration | None:
    """Return how the model errs for a deployment, where a meter has told it."""
    try:
        return Calibration(machine.calibration or 0, Scope(machine.calibrated_scope))
    except ValueError:
        return None


def reckon(
    machine: Machine, endpoint: str, usage: Usage, service_ms: int, batch_milli: int
) -> Reckoned:
    """Return the energy of an answer of `usage` that took `service_ms` among `batch_milli` requests at a time."""
    pue_milli = max(machine.pue_milli or DEFAULT_PUE_MILLI, _MILLI)
    conditions = Conditions(batch_milli=batch_milli, pue_milli=pue_milli)
    calibration = calibration_of(machine)
    told = _estimate(machine, endpoint, usage, service_ms, conditions, calibration)
    work = _estimate(machine, endpoint, usage, service_ms, conditions) if calibration else told
    at_site = told.energy.scaled(pue_milli / _MILLI)
    gpus = (machine.gpus or 1) if machine.gpu in ACCELERATORS else 0
    energy = Energy(
        method=told.method.value,
        version=told.method_version,
        mj=round(at_site.central),
        low_mj=round(at_site.low),
        high_mj=round(at_site.high),
        gpu_mj=work.gpu_mj,
        gpu_ms=round(gpus * max(service_ms, 0) / conditions.batch),
        batch_milli=max(batch_milli, _MILLI),
        pue_milli=pue_milli,
        factors=machine.factors,
    )
    return Reckoned(energy, told)


def wanted(header: str, principal: Principal) -> frozenset[str]:
    """Return which of `Told` a request asks for, or its key: some clients cannot send a header."""
    words = {word.strip().lower() for word in header.split(",")}
    asked = frozenset(Told.IMPACT if word in _YES else word for word in words & _KNOWN)
    return asked.union(principal.tells)


def told_of(machine: Machine, reckoned: Reckoned, wishes: Container[str]) -> dict[str, object]:
    """Return what an answer's `usage` gets beside its tokens; `carbon` only where there is a figure."""
    energy, told = reckoned
    factors = NAMED.get(energy.factors)
    if factors is None or machine.gpu not in ACCELERATORS:
        return {Told.IMPACT: {"method": Method.NONE.value}} if Told.IMPACT in wishes else {}
    machines = embodied(factors.making, energy.gpu_ms / _MILLI)
    costs = impact(told.energy, told.pue_milli, factors, machines=machines)
    found: dict[str, object] = {}
    if Told.IMPACT in wishes:
        found[Told.IMPACT] = usage_impact(told, costs, factors)
    if Told.CARBON in wishes:
        found[Told.CARBON] = usage_carbon(costs)
    return found


def with_usage(body: bytes, extra: Mapping[str, object]) -> bytes:
    """Return a whole JSON answer with more in its `usage`; one that has none is left as it is."""
    fields = _decode_fields(body)
    usage = read_object(bytes(fields.get("usage", b"")))
    if usage is None:
        return body
    return _encode({**fields, "usage": {**usage, **extra}})


def _estimate(
    machine: Machine,
    endpoint: str,
    usage: Usage,
    service_ms: int,
    conditions: Conditions,
    calibration: Calibration | None = None,
) -> Estimate:
    instance = instance_of(machine)
    if endpoint in WRITING and instance is not None:
        tokens = Tokens(prompt=usage.prompt, cached=usage.cached, completion=usage.completion)
        return estimate(instance, tokens, conditions, calibration)
    accelerator = ACCELERATORS.get(machine.gpu or "")
    return estimate_gpu_time(accelerator, machine.gpus or 1, service_ms, conditions, calibration)
