"""What meters of servers' energy tell: read every 15 s, cut into windows of a minute, written into the spool.

Energy is reckoned by a clock that does not go back; a window's beginning and end are told by the one of the wall, by
which requests are known. Windows of a server that was read without a break share their boundary reading. Nothing is
guessed: a meter that does not answer for more than a minute leaves a window without energy, which says why; what
cannot be written down is a gap.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import httpx

from billing.impact.enums import Scope
from billing.impact.meters import LONGEST_GAP_S, Fault, Meter, Sample, Unit, read
from routing.core.accounting import Metered
from routing.core.enums import MeterFault, ServerState
from routing.core.table import Probe, Server
from routing.dispatch.frames import MeterReading
from routing.gateway.gateway import Gateway
from routing.gateway.spool import SpoolFull
from routing.gateway.verdicts import Failed
from routing.upstream.egress import Target, parse_base_url
from routing.upstream.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionLost,
    EgressRefused,
    HeadTimeout,
    UpstreamError,
)
from routing.upstream.guarded import fetch
from routing.upstream.metrics import MAX_METRICS_BYTES, Counted, read_series

LOOK_SECONDS = 1.0
READ_SECONDS = 15.0
FETCH_SECONDS = 5.0
WINDOW_SECONDS = 60.0
LONGEST_STILL_SECONDS = 600.0
"""A counter of hundredths of a kilowatt-hour may stand still for minutes; what draws nothing for longer is stuck."""
CLOCK_SECONDS = 1.0
"""By so much the wall's clock may drift from the other within a window; by more, it was set."""
FRESH_SECONDS = 5.0
"""How old a server's own count of tokens may be."""
READ_IN = frozenset({ServerState.STAGING, ServerState.LIVE, ServerState.DRAINING})
_MILLI = 1_000


class Moment(NamedTuple):
    """When a meter was read: by the clock that does not go back, and by the wall's; and what else is known then."""

    now: float
    wall: float
    tokens: Counted | None = None
    mark: float = 0.0
    """Of the server's occupancy."""


class Cutter:
    """Cuts the readings of one meter into windows. Knows no clock: every moment is told."""

    def __init__(self, server_id: str, probe: Probe) -> None:
        """Raise `ValueError` on a probe that no meter can be."""
        self.probe = probe
        self.meter = Meter(
            unit=Unit(probe.unit),
            scope=Scope(probe.scope),
            limit_w=probe.limit_w,
            multiplier=probe.multiplier,
        )
        self._server_id = server_id
        self._samples: list[Sample] = []
        self._start: Moment | None = None
        self._last: Moment | None = None
        """Of the last sample that is kept."""
        self._heard = 0.0
        """When the meter answered last, be it that nothing had changed."""
        self._gap: Moment | None = None
        """Since when there is no sample to begin with."""
        self._faults: set[str] = set()
        self._tokens: tuple[int, ...] | None = (0, 0, 0)

    def take(self, value: float, moment: Moment) -> Iterator[Metered]:
        """Take a reading; yield the windows that are whole by it."""
        self._heard = moment.now
        start, last = self._start, self._last
        if start is None or last is None:
            yield from self._end_gap(moment)
            self._begin(value, moment)
            return
        if self._stands_still(value):
            if moment.now - last.now >= LONGEST_STILL_SECONDS:
                yield from self._cut()
                self._gap = last._replace(tokens=None)
                self._faults = {MeterFault.STUCK}
                yield from self._end_gap(moment)
                self._begin(value, moment)
            return
        if abs((moment.wall - moment.now) - (start.wall - start.now)) > CLOCK_SECONDS:
            yield from self._cut()
            shifted = last.now + moment.wall - moment.now
            self._start = last = last._replace(wall=shifted)
        self._count(last, moment)
        self._samples.append(Sample(moment.now, value))
        self._last = moment
        if moment.now - self._begun >= WINDOW_SECONDS:
            yield from self._cut()

    def miss(self, fault: str, moment: Moment) -> Iterator[Metered]:
        """Note that the meter could not be read; yield what is over by it."""
        self._faults.add(fault)
        if self._last is not None:
            if moment.now - self._heard <= LONGEST_GAP_S:
                return
            gap = self._last._replace(tokens=None)
            yield from self._cut()
            self._faults.add(fault)
            self._start = self._last = None
            self._gap = gap
        self._gap = self._gap or moment
        if moment.now - self._gap.now >= WINDOW_SECONDS:
            yield from self._end_gap(moment)
            self._gap = moment

    def end(self) -> Iterator[Metered]:
        """Yield what is known when the meter is read no more."""
        if self._last is not None:
            yield from self._cut()

    @property
    def last(self) -> Sample | None:
        """Return the last reading that was kept."""
        return self._samples[-1] if self._samples else None

    @property
    def _begun(self) -> float:
        return self._start.now if self._start else 0.0

    def _stands_still(self, value: float) -> bool:
        """Say whether a counter shows what it showed: exporters read their devices less often than we read them."""
        return not self.meter.is_gauge and bool(self._samples) and self._samples[-1].value == value

    def _begin(self, value: float, moment: Moment) -> None:
        self._start = self._last = moment
        self._samples = [Sample(moment.now, value)]
        self._faults, self._gap, self._tokens = set(), None, (0, 0, 0)

    def _count(self, before: Moment, after: Moment) -> None:
        """Add what the server says that it has worked on; a count that fell has begun anew."""
        if self._tokens is None or before.tokens is None or after.tokens is None:
            self._tokens = None
            return
        grown = (
            (new - old if new >= old else new)
            for old, new in zip(before.tokens, after.tokens, strict=True)
        )
        self._tokens = tuple(total + more for total, more in zip(self._tokens, grown, strict=True))

    def _cut(self) -> Iterator[Metered]:
        """Yield the window up to the last sample, with which the next begins."""
        start, last = self._start, self._last
        assert start is not None
        assert last is not None
        if last.now > start.now:
            reading = read(self.meter, self._samples)
            yield self._window(
                start,
                last,
                mj=reading.mj,
                covered_ms=round(reading.covered_s * _MILLI),
                faults={*self._faults, *(fault.value for fault in reading.faults)},
                tokens=self._tokens,
            )
            self._faults = set()
        self._start, self._tokens = last, (0, 0, 0)
        self._samples = self._samples[-1:]

    def _end_gap(self, moment: Moment) -> Iterator[Metered]:
        if self._gap is not None and moment.now > self._gap.now:
            yield self._window(self._gap, moment, mj=0, covered_ms=0, faults=self._faults)

    def _window(
        self,
        start: Moment,
        end: Moment,
        *,
        mj: int,
        covered_ms: int,
        faults: Iterable[str],
        tokens: tuple[int, ...] | None = None,
    ) -> Metered:
        seconds = end.now - start.now
        read_tokens, cached, written = tokens or (0, 0, 0)
        return Metered(
            server_id=self._server_id,
            probe_id=self.probe.id,
            scope=self.meter.scope.value,
            start=start.wall,
            end=start.wall + seconds,
            mj=mj,
            covered_ms=covered_ms,
            idle_mw=round(self.probe.idle_w * _MILLI),
            batch_milli=max(round((end.mark - start.mark) / seconds * _MILLI), _MILLI),
            tokens=None if tokens is None else (read_tokens, cached, written),
            faults=tuple(sorted(faults)),
        )


async def keep_metering(gateway: Gateway, http: httpx.AsyncClient) -> None:
    """Read the meter of every server that has one, each apart, until cancelled; then write what is known."""
    readers: dict[str, _Reader] = {}
    async with asyncio.TaskGroup() as readings:
        try:
            while True:
                _follow_table(gateway, readers)
                for reader in readers.values():
                    if reader.is_due(asyncio.get_running_loop().time()):
                        readings.create_task(reader.read(http))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for reader in readers.values():
                reader.end()


def _follow_table(gateway: Gateway, readers: dict[str, "_Reader"]) -> None:
    """Begin with meters that are new, and be done with those that are gone or another's by now."""
    servers = gateway.table.servers.servers
    for server_id, reader in tuple(readers.items()):
        server = servers.get(server_id)
        if server is None or server.probe != reader.probe or server.state not in READ_IN:
            readers.pop(server_id).end()
            gateway.meter_readings.pop(server_id, None)
    for server in servers.values():
        if server.probe is not None and server.state in READ_IN and server.id not in readers:
            readers[server.id] = _Reader(gateway, server, server.probe)


class _Reader:
    """Reads one meter, one reading at a time."""

    def __init__(self, gateway: Gateway, server: Server, probe: Probe) -> None:
        self._gateway = gateway
        self._server_id = server.id
        self.probe = probe
        self._cutter = Cutter(server.id, probe)
        self._due = 0.0
        self._is_over = False

    def is_due(self, now: float) -> bool:
        """Say whether it is to be read now, and count it as read."""
        if now < self._due:
            return False
        self._due = now + READ_SECONDS
        return True

    async def read(self, http: httpx.AsyncClient) -> None:
        value, fault = await self._ask(http)
        if self._is_over:
            return
        moment, before = self._moment(), self._cutter.last
        if value is None:
            self._write(self._cutter.miss(fault, moment))
        else:
            self._write(self._cutter.take(value, moment))
        self._gateway.meter_readings[self._server_id] = MeterReading(
            server_id=self._server_id,
            probe_id=self.probe.id,
            at=moment.wall,
            value=value,
            watts=None if value is None else self._watts(before, Sample(moment.now, value)),
            fault=fault,
        )

    def end(self) -> None:
        """Write what is known; what is being read comes too late."""
        self._is_over = True
        self._write(self._cutter.end())

    async def _ask(self, http: httpx.AsyncClient) -> tuple[float | None, str]:
        """Return what the meter shows, or why that is not known."""
        server = self._gateway.table.servers.servers.get(self._server_id)
        if server is None:
            return None, MeterFault.UNREACHABLE
        try:
            destination = self._gateway.destination(server)
            target = parse_base_url(self.probe.url)
            is_server = _place(target) == _place(destination.target)
            token = destination.token if is_server else None
            answer = await fetch(
                http,
                target.url,
                headers={"authorization": f"Bearer {token.reveal()}"} if token else {},
                grants=destination.grants,
                ca_bundle=destination.ca_bundle,
                identity=destination.identity,
                limit=MAX_METRICS_BYTES,
                seconds=FETCH_SECONDS,
            )
        except Failed:
            return None, MeterFault.REFUSED
        except UpstreamError as error:
            return None, _fault_of(error)
        if answer.status != 200:
            return None, MeterFault.NO_PAGE
        text = answer.body.decode(errors="replace")
        value = read_series(text, self.probe.metric, dict(self.probe.labels))
        if value is None:
            return None, MeterFault.NO_SERIES
        return (value, "") if value >= 0 else (None, Fault.UNREADABLE)

    def _moment(self) -> Moment:
        now = time.monotonic()
        heard_at, tokens = self._gateway.counted.get(self._server_id, (0.0, None))
        return Moment(
            now=now,
            wall=time.time(),
            tokens=tokens if now - heard_at <= FRESH_SECONDS else None,
            mark=self._gateway.occupancy.mark(self._server_id, now),
        )

    def _watts(self, before: Sample | None, after: Sample) -> float | None:
        meter = self._cutter.meter
        if meter.is_gauge:
            before = Sample(after.at - 1, after.value)
        elif before is not None and before.value == after.value:
            told = self._gateway.meter_readings.get(self._server_id)
            return told.watts if told else None
        if before is None:
            return None
        reading = read(meter, [before, after])
        return reading.mj / reading.covered_s / _MILLI if reading.covered_s else None

    def _write(self, windows: Iterable[Metered]) -> None:
        """Write windows down, where there is room: none is owed."""
        for window in windows:
            try:
                self._gateway.spool.admit(window)
            except SpoolFull:
                return


def _place(target: Target) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port


def _fault_of(error: UpstreamError) -> MeterFault:
    match error:
        case EgressRefused():
            return MeterFault.REFUSED
        case ConnectFailed() | ConnectionLost():
            return MeterFault.UNREACHABLE
        case HeadTimeout():
            return MeterFault.SILENT
        case BodyTooLarge():
            return MeterFault.TOO_LARGE
        case _:
            return MeterFault.NO_PAGE
