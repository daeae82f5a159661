"""What an engine's own `/metrics` say of its load, in the few names that matter, whatever its version; and any metric.

Prometheus text, read without trust: label sets are summed (vLLM has one for each engine), exponents parsed, and
what is missing or no number is left out. An engine without metrics has none of this and is none the worse.
"""

import re
from collections.abc import Mapping
from math import nan

import msgspec

MAX_METRICS_BYTES = 1024 * 1024
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{([^\n]*)\})? +([-+.\w]+)(?: +\d+)?$", re.MULTILINE)
_CACHE_LABEL = re.compile(r'\b(num_gpu_blocks|block_size)="([0-9]{1,9})"')
_RUNNING = ("vllm:num_requests_running", "llamacpp:requests_processing")
_WAITING = ("vllm:num_requests_waiting", "llamacpp:requests_deferred")
_MEMORY_USE = (
    "vllm:kv_cache_usage_perc",  # since 0.10
    "vllm:gpu_cache_usage_perc",  # until 0.9
    "llamacpp:kv_cache_usage_ratio",
)
_CACHE_CONFIG = "vllm:cache_config_info"
_TOKENS = (
    "vllm:prompt_tokens_total",
    "vllm:prefix_cache_hits_total",
    "vllm:generation_tokens_total",
)
"""Read, of these found in the cache, and written, since the engine started."""
_NAMES = frozenset((*_RUNNING, *_WAITING, *_MEMORY_USE, *_TOKENS, _CACHE_CONFIG))
_LABEL = re.compile(r'\b([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')  # from a word's start: else quadratic
_ESCAPE = re.compile(r"\\(.)")
MOST = 1e9
MOST_COUNTED = 1e18
"""Of a counter: millijoules since a machine was started, tokens since an engine was."""
Counted = tuple[int, int, int]
"""Tokens read, of these found in the cache, and written."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that run and that wait in the engine, the share of its context memory in use, and its tokens."""

    running: int
    waiting: int
    memory_use: float = 0.0
    memory: int = 0
    tokens: Counted | None = None
    """Since the engine started; None where it does not count them."""


def read_load(text: str) -> Load | None:
    """Return the load that these metrics show, None when they do not say what runs."""
    sums: dict[str, float] = {}
    engines: dict[str, int] = {}
    memory = 0
    for name, labels, number in _SAMPLE.findall(text):
        if name not in _NAMES:
            continue
        if name == _CACHE_CONFIG:
            memory += _tokens(dict(_CACHE_LABEL.findall(labels)))
        elif (value := _number(number, MOST_COUNTED if name in _TOKENS else MOST)) is not None:
            sums[name] = sums.get(name, 0.0) + value
            engines[name] = engines.get(name, 0) + 1
    running = _first(sums, _RUNNING)
    if running is None:
        return None
    use_name = next((name for name in _MEMORY_USE if name in sums), None)
    return Load(
        running=int(running),
        waiting=int(_first(sums, _WAITING) or 0),
        memory_use=min(1.0, sums[use_name] / engines[use_name]) if use_name else 0.0,
        memory=memory,
        tokens=_counted(sums),
    )


def read_series(text: str, metric: str, labels: Mapping[str, str]) -> float | None:
    """Return the sum of a metric's series that carry these labels; None where there is none.

    NaN where one of them is no number, below 0, or beyond all that is counted: a sum of the others would be none.
    """
    line = re.compile(rf"^{re.escape(metric)}(?:\{{([^\n]*)\}})? +(\S+)(?: +-?\d+)?$", re.MULTILINE)
    total = None
    for found, number in line.findall(text.replace("\r\n", "\n")):
        if labels and not labels.items() <= _labels(found).items():
            continue
        value = _number(number, MOST_COUNTED)
        total = (total or 0.0) + (nan if value is None else value)
    return total


def _labels(text: str) -> dict[str, str]:
    return {name: _ESCAPE.sub(_unescaped, value) for name, value in _LABEL.findall(text)}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _counted(sums: Mapping[str, float]) -> Counted | None:
    prompt, cached, completion = _TOKENS
    if prompt not in sums or completion not in sums:
        return None
    return int(sums[prompt]), int(sums.get(cached, 0)), int(sums[completion])


def _first(sums: Mapping[str, float], names: tuple[str, ...]) -> float | None:
    return next((sums[name] for name in names if name in sums), None)


def _number(text: str, most: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= most else None


def _tokens(labels: Mapping[str, str]) -> int:
    """Return the tokens in an engine's cache: blocks times their size, 0 when it does not say."""
    return int(labels.get("num_gpu_blocks", 0)) * int(labels.get("block_size", 0))
