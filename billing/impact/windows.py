"""A stretch of measured energy shared out among those who caused it, to the last millijoule.

    measured = Σ requests + local use + idle          exactly, in integers

Idle is what the machine draws without work; it is booked to the server as the price of its being there, and shown
apart. Local use is what a host's own people do on the server past the router. The rest is shared out by work: what
the model of `energy` expects of each request, so that a token written weighs more than one read.

Not here: readings (`meters`), which windows there are and which requests lie in them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing.impact.energy import Calibration, Instance, Tokens, decode_joules, prompt_joules
from billing.impact.enums import Scope
from billing.shares import proportional

LEAST_WINDOWS = 60
"""Windows with work before a server's model is corrected by them: an hour of a minute each."""

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyWindow:
    """What a meter told of a stretch: energy, and the seconds of it that are covered (`meters.Reading`).

    `idle_w`: what all that the meter sees draws without work, W. Raises `ValueError` on anything below 0.
    """

    measured_mj: int
    covered_s: float
    scope: Scope
    idle_w: float

    def __post_init__(self) -> None:
        if min(self.measured_mj, self.covered_s, self.idle_w) < 0:
            raise ValueError(f"a negative window: {self}")

    @property
    def idle_mj(self) -> int:
        """Never more than was measured."""
        return min(self.measured_mj, round(self.idle_w * 1_000 * self.covered_s))


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose the energy of a window is, mJ. `requests` in the order they were given; all of it sums to the window."""

    requests: tuple[int, ...]
    local_mj: int
    idle_mj: int

    @property
    def worked_mj(self) -> int:
        """What work caused, the federation's and the host's own: what a calibration compares."""
        return sum(self.requests) + self.local_mj


def attribute(window: EnergyWindow, work: Sequence[int], local_work: int = 0) -> Attribution:
    """Share a window out by `work` (`work_of`, `work_within`), each request's and the host's own.

    Without any work all of it is idle. Raises `ValueError` on work below 0.
    """
    if not local_work and not any(work):
        return Attribution((0,) * len(work), 0, window.measured_mj)
    *requests, local = proportional(window.measured_mj - window.idle_mj, [*work, local_work])
    return Attribution(tuple(requests), local, window.idle_mj)


def work_of(instance: Instance, tokens: Tokens, batch_milli: int) -> int:
    """Return the weight of a request, or of a host's own tokens: the GPU energy the model expects, microjoules."""
    batch = max(batch_milli, 1_000) / 1_000
    joules = tokens.completion * decode_joules(instance, batch)
    return round((joules + tokens.read * prompt_joules(instance)) * _MICRO)


def work_within(work: int, start: float, end: float, window_start: float, window_end: float) -> int:
    """Return the part of a request's work that falls into a window, as if it worked evenly from `start` to `end`.

    Over windows that touch, the parts sum to the whole exactly. A request that ends when it starts, or before it
    as after a clock was set back, lies as a whole in the window of its start.
    """
    if end <= start:
        return work if window_start <= start < window_end else 0
    return _done(work, start, end, window_end) - _done(work, start, end, window_start)


def _done(work: int, start: float, end: float, now: float) -> int:
    if now >= end:
        return work
    return int(work * max(now - start, 0.0) / (end - start))


def local_tokens(server: Tokens, ours: Tokens) -> Tokens:
    """Return what a server counted in a window less what the router sent there: the host's own use.

    Never below 0, as when a server counts a request in another window than the router. `server` holds differences of
    `vllm:prompt_tokens_total`, `vllm:prefix_cache_hits_total` and `vllm:generation_tokens_total`.
    """
    return Tokens(
        prompt=max(server.prompt - ours.prompt, 0),
        cached=max(server.cached - ours.cached, 0),
        completion=max(server.completion - ours.completion, 0),
    )


def calibrate(
    windows: Iterable[tuple[int, int]], scope: Scope, least_windows: int = LEAST_WINDOWS
) -> Calibration | None:
    """Fit the one number by which the model errs for a model on a server; None before there are enough windows.

    windows  (`Attribution.worked_mj`, modelled mJ of the same work); those without work tell nothing. Modelled is
             `Estimate.gpu_mj` for a meter of GPUs, `Estimate.energy_mj` for one of the server.
    The ratio of the sums, not the mean of the ratios: a quiet minute must not outweigh a busy one.
    """
    pairs = [(worked, modelled) for worked, modelled in windows if modelled > 0]
    worked_mj = sum(worked for worked, _ in pairs)
    if len(pairs) < least_windows or worked_mj <= 0:
        return None
    return Calibration(worked_mj / sum(modelled for _, modelled in pairs), scope)
