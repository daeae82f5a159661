"""Prometheus' text format, and the address of its own at which the router tells its metrics.

Not the public port: how busy the federation is, and with what, concerns its operators.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from routing.gateway.metrics import SECONDS, Distribution

HEAD_SECONDS = 5.0
PATH = b"/metrics"
_BOUNDS = (*map(repr, SECONDS), "+Inf")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Labels = tuple[str, ...]


class Family(NamedTuple):
    """A metric. `samples` holds a value for each combination of its labels' values."""

    name: str
    kind: Kind
    help: str
    labels: Labels
    samples: Iterable[tuple[Labels, float | Distribution]]


def render(families: Iterable[Family]) -> str:
    """Return the families as text."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for values, value in family.samples:
        pairs = zip(family.labels, values, strict=True)
        labels = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in pairs)
        if isinstance(value, Distribution):
            yield from _histogram(family.name, labels, value)
        else:
            yield f"{family.name}{{{labels}}} {value}" if labels else f"{family.name} {value}"


def _histogram(name: str, labels: str, value: Distribution) -> Iterator[str]:
    total = 0
    for bound, total in zip(_BOUNDS, accumulate(value.counts), strict=True):
        yield f'{name}_bucket{{{labels},le="{bound}"}} {total}'
    yield f"{name}_sum{{{labels}}} {value.sum}"
    yield f"{name}_count{{{labels}}} {total}"


async def serve_metrics(
    families: Callable[[], Iterable[Family]], host: str, port: int
) -> asyncio.Server:
    """Answer `GET /metrics` with the present values."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            if _is_for_metrics(head):
                writer.write(_answer("200 OK", render(families())))
            else:
                writer.write(_answer("404 Not Found", "GET /metrics\n"))
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, host, port)


def _is_for_metrics(head: bytes) -> bool:
    method, _, rest = head.partition(b" ")
    return method == b"GET" and rest.partition(b" ")[0].partition(b"?")[0] == PATH


def _answer(status: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
