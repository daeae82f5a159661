"""A server's counters and their Prometheus text, with the names, labels and number format of vLLM 0.32.

Only what a router or a dashboard reads: load, cache, tokens, latencies, refusals. Not responsible for
measuring; `engine` reports.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.simulator.engine import Batch

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
# Upper bounds of the buckets, in seconds, as vLLM 0.32 exposes them.
FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
INTER_TOKEN_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
END_TO_END_BUCKETS = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
IDLE_W, J_PER_READ, J_PER_WRITTEN = 110.0, 0.02, 0.25
"""What a simulated GPU draws with a model loaded, and for a token more."""
REASONS = ("stop", "length", "abort", "error", "repetition")

Labels = dict[str, str]
Sample = tuple[str, Labels, float]
# Name, kind, what it counts, and its samples.
Family = tuple[str, str, str, list[Sample]]


class Histogram:
    """Cumulative buckets, filled one observation at a time."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self, labels: Labels) -> Iterator[Sample]:
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            yield "_bucket", {**labels, "le": number(bound)}, total
        yield "_count", labels, total
        yield "_sum", labels, self._sum


class Metrics:
    """What one server has done since it started."""

    def __init__(self, model: str) -> None:
        self._labels = {"engine": "0", "model_name": model}
        self._created = time.time()
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.rejections = 0
        self.successes = dict.fromkeys(REASONS, 0)
        self.first_token = Histogram(FIRST_TOKEN_BUCKETS)
        self.inter_token = Histogram(INTER_TOKEN_BUCKETS)
        self.end_to_end = Histogram(END_TO_END_BUCKETS)

    def first(self, seconds: float, prompt: int) -> None:
        self.first_token.observe(seconds)
        self.prompt_tokens += prompt

    def ended(self, reason: str) -> None:
        self.successes[reason if reason in self.successes else "stop"] += 1

    def text(self, batch: "Batch") -> bytes:
        """The whole exposition, with the state of `batch` at this moment."""
        lines: list[str] = []
        for name, kind, what, samples in (
            *self._gauges(batch),
            *self._counters(batch),
            *self._histograms(),
        ):
            lines += family(f"vllm:{name}", kind, what, samples)
        return "".join(lines).encode()

    def energy_text(self, host: str) -> bytes:
        """What dcgm-exporter would show beside the server: millijoules since its start, by the tokens of the server."""
        joules = IDLE_W * (time.time() - self._created)
        joules += J_PER_READ * self.prompt_tokens + J_PER_WRITTEN * self.generation_tokens
        labels = {"gpu": "0", "device": "nvidia0", "Hostname": host}
        what = "Total energy consumption since boot (in mJ)."
        samples: list[Sample] = [("", labels, round(joules * 1000))]
        return "".join(family(ENERGY, "counter", what, samples)).encode()

    def _gauges(self, batch: "Batch") -> Iterator[Family]:
        labels, waiting = self._labels, len(batch.waiting)
        counts = {"capacity": waiting, "deferred": 0}
        reasons: list[Sample] = [("", {**labels, "reason": r}, n) for r, n in counts.items()]
        for name, what, samples in (
            ("num_requests_running", "Being generated.", _one(labels, len(batch.running))),
            ("num_requests_waiting", "Waiting inside.", _one(labels, waiting)),
            ("num_requests_waiting_by_reason", "Waiting inside, by reason.", reasons),
            ("kv_cache_usage_perc", "Share of the KV cache in use.", _one(labels, batch.kv_usage)),
        ):
            yield name, "gauge", what, samples

    def _counters(self, batch: "Batch") -> Iterator[Family]:
        labels = self._labels
        # As in the real server, refusals carry no engine label: they never reach an engine.
        model = {"model_name": labels["model_name"]}
        refused = {"max_num_queued_reqs": self.rejections, "max_num_queued_tokens": 0}
        refusals: list[Sample] = [("", {**model, "reason": r}, n) for r, n in refused.items()]
        successes: list[Sample] = [
            ("", {**labels, "finished_reason": r}, n) for r, n in self.successes.items()
        ]
        for name, what, samples in (
            ("num_preemptions", "Sequences sent back.", _one(labels, batch.preemptions)),
            ("prompt_tokens", "Prompt tokens taken in.", _one(labels, self.prompt_tokens)),
            ("generation_tokens", "Tokens generated.", _one(labels, self.generation_tokens)),
            ("request_success", "Requests ended, by reason.", successes),
            ("admission_rejections", "Requests refused at the door.", refusals),
        ):
            yield f"{name}_total", "counter", what, samples
            created: list[Sample] = [("", each, self._created) for _, each, _ in samples]
            yield f"{name}_created", "gauge", what, created

    def _histograms(self) -> Iterator[Family]:
        for name, what, histogram in (
            ("time_to_first_token_seconds", "Arrival to first token.", self.first_token),
            ("inter_token_latency_seconds", "Between two tokens.", self.inter_token),
            ("e2e_request_latency_seconds", "Arrival to last token.", self.end_to_end),
        ):
            yield name, "histogram", what, list(histogram.samples(self._labels))
            yield f"{name}_created", "gauge", what, _one(self._labels, self._created)


def _one(labels: Labels, value: float) -> list[Sample]:
    return [("", labels, value)]


def number(value: float) -> str:
    """A value as the Prometheus client writes it: `8.0`, `1.2e+06`, `+Inf`."""
    if value == float("inf"):
        return "+Inf"
    plain = repr(float(value))
    whole, _, fraction = plain.partition(".")
    if value < 1e6 or "e" in plain:
        return plain
    digits = (whole + fraction).rstrip("0")
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{mantissa}e+{len(whole) - 1:02d}"


def family(name: str, kind: str, what: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {what}\n# TYPE {name} {kind}\n"
    for suffix, labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(labels[key])}"' for key in sorted(labels))
        yield f"{name}{suffix}{{{inside}}} {number(value)}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
