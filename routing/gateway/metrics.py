"""Counters of the router in Prometheus' text format, on a loopback address of their own.

Not on the public port: how busy the federation is, and with what, concerns its operators.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from routing.core.enums import Endpoint
from routing.core.usage import Usage

HEAD_SECONDS = 5.0
_ENDPOINTS = frozenset(each.value for each in Endpoint)
"""Labels: a client must not be able to make more of them."""

Sample = tuple[str, dict[str, str], float]


class Metrics:
    """What has happened since the start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        """By endpoint and status as accounted."""
        self.attempts: Counter[str] = Counter()
        """By outcome."""
        self.tokens: Counter[str] = Counter()
        """By kind: prompt, completion."""

    def count(self, endpoint: str, status: str, usage: Usage) -> None:
        """Count a request that has ended."""
        known = endpoint if endpoint in _ENDPOINTS else Endpoint.OTHER
        self.requests[known, status] += 1
        self.tokens["prompt"] += usage.prompt
        self.tokens["completion"] += usage.completion

    def samples(self) -> Iterable[Sample]:
        for (endpoint, status), count in self.requests.items():
            labels = {"endpoint": endpoint, "status": status}
            yield "ilaas_requests_total", labels, count
        for outcome, count in self.attempts.items():
            yield "ilaas_attempts_total", {"outcome": outcome}, count
        for kind, count in self.tokens.items():
            yield "ilaas_tokens_total", {"kind": kind}, count


def render(samples: Iterable[Sample]) -> str:
    """Return the samples as text, grouped by name as the format demands."""
    groups: dict[str, list[str]] = {}
    for name, labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        line = f"{name}{{{inner}}} {value}" if inner else f"{name} {value}"
        groups.setdefault(name, []).append(line)
    lines = []
    for name, group in groups.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE {name} {kind}", *group]
    return "\n".join(lines) + "\n"


async def serve_metrics(samples: Callable[[], Iterable[Sample]], port: int) -> asyncio.Server:
    """Answer every request on the loopback port with the present samples."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_SECONDS)
            body = render(samples()).encode()
            head = (
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
