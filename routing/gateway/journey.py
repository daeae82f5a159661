"""A request's journey: written down, given a server, sent, looked at, passed on, accounted.

One `Journey` per admitted request. It asks for servers only through the dispatcher's door and may be cut at any
await (the client leaves, the router ends); what it holds is settled synchronously, so nothing needs shielding.
"""

import asyncio
import json
import logging
import math
from functools import partial

import msgspec

from routing.core.enums import RequestStatus, UsageSource
from routing.core.retry import Failure
from routing.core.stops import Stops
from routing.core.usage import WRITING, Usage, usage_sent
from routing.dispatch.messages import OK, UNUSED, Grant, Recall, Refusal, RefusalCode
from routing.gateway.admission import Body, Order, asked_of, opening, priority_told, ticket
from routing.gateway.entry import Entry
from routing.gateway.errors import ApiError, Code
from routing.gateway.exchange import TOLD, Cut, Exchange
from routing.gateway.fallback import FALLBACK, stand_in, ticket_for
from routing.gateway.fallback import TOLD as TOLD_OF_FALLBACK
from routing.gateway.gateway import Gateway
from routing.gateway.impact import IMPACT, Impact
from routing.gateway.paths import at_server
from routing.gateway.quotas import quota_headers
from routing.gateway.relay import Interrupted, Passage
from routing.gateway.renaming import Renaming
from routing.gateway.targets import Target
from routing.gateway.verdicts import Failed, refusal_error, reports_usage_when_asked
from routing.upstream.client import Headers, Response
from routing.upstream.errors import UpstreamError

logger = logging.getLogger(__name__)
EXPLAIN = b"x-ilaas-explain"
CLIENT_CLOSED_REQUEST = 499  # nginx's number for a client that left before there was a status
_REFUSALS = frozenset(
    {
        *(Code.BUSY, Code.LIMIT, Code.NO_SERVER, Code.MINIMUM),
        *(Code.BUDGET, Code.BUDGET_IN_USE, Code.BUDGET_UNKNOWN),
        *(Code.NOT_HOSTED, Code.GUESTS_REFUSED, Code.NO_ENDPOINT, Code.NO_LABELLED_SERVER),
    }
)
_SAID_WITH_200 = frozenset({Code.BUSY, Code.NO_SERVER, Code.MINIMUM})
_PASSED_UPSTREAM = frozenset({b"accept", b"anthropic-version", b"anthropic-beta"})


class Journey:
    """Made once the order is known to be allowed. Being made writes the opening line; raises `ApiError`."""

    def __init__(
        self, gateway: Gateway, exchange: Exchange, order: Order, body: Body, received_at: float
    ) -> None:
        self._asked = asked = asked_of(order, body)
        opened = opening(order, asked, exchange.id, exchange.client_id, received_at)
        self._ticket = ticket(
            opened,
            order,
            body,
            asked,
            incarnation=gateway.incarnation,
            wait_seconds=gateway.limits.wait_seconds,
            weight=gateway.table.servers.weights.get(opened.institution_id, 1.0),
            has_budgets=bool(gateway.table.principals.budgets),
        )
        self._entry = Entry(
            gateway.spool,
            gateway.dispatcher,
            gateway.metrics,
            gateway.occupancy,
            opened,
            order.principal.holder_id,
        )
        self._gateway = gateway
        self._exchange = exchange
        self._order = order
        self._body: Body | None = body
        self._loop = asyncio.get_running_loop()
        self._began = self._last_sign = self._last_tick = self._loop.time()
        self._queued = 0.0
        self._grant: Grant | None = None
        self._target: Target | None = None
        self._passage: Passage | None = None
        self._recalled: Failure | None = None
        self._has_fallen_back = False
        self._impact = Impact(exchange.header(IMPACT), order.principal, self._entry)

    @property
    def hears(self) -> tuple[str, int] | None:
        """Return the server that this stream listens to and how many tokens came from there."""
        passage, grant = self._passage, self._grant
        if not self._order.stream or passage is None or grant is None or not self._entry.is_trying:
            return None
        return grant.server_id, passage.meter.content_events

    def recall(self, recall: Recall) -> None:
        """Give up the attempt that is taken back."""
        grant = self._grant
        if grant is None or (grant.id, grant.attempt) != (recall.id, recall.attempt):
            return
        if self._entry.is_trying and not self._entry.closed and not self._recalled:
            self._recalled = recall.why
            self._exchange.task.cancel()

    def heed(self, stops: Stops) -> None:
        """End if operators have stopped who asks or what is asked; leave a server that they have stopped."""
        ticket, grant = self._ticket, self._grant
        if stops.stops_key(ticket.key_id, ticket.institution_id):
            self._exchange.cut(Cut.STOPPED)
        elif stops.stops_model(ticket.model_id):
            self._exchange.cut(Cut.MODEL_STOPPED)
        elif grant is not None and stops.stops_server(grant.server_id):
            self.recall(Recall(id=grant.id, attempt=grant.attempt, why=Failure.GONE))

    async def run(self) -> None:
        """Bring the answer, or the error, to the client."""
        self._gateway.journeys.add(self)
        try:
            await self._travel()
        except ApiError as error:
            status = self._status_told(error)
            self._close_with(error, status)
            await self._exchange.fail(error, status=status)
        except Interrupted as broken:
            self._close_broken(broken)
            await self._exchange.fail(broken.error)
        except asyncio.CancelledError:
            self._close_cut()
            raise
        except Exception:
            self._close(UNUSED, RequestStatus.SERVER_ERROR, 500, Usage(), Code.INTERNAL)
            raise
        finally:
            self._gateway.journeys.discard(self)
            self._drop_body()
            self._entry.settle()

    async def _travel(self) -> None:
        grant = await self._first_grant()
        while True:
            try:
                return await self._attempt(grant)
            except Failed as failed:
                grant = await self._next_grant(grant, failed)
            except asyncio.CancelledError:
                if (why := self._recalled) is None:
                    raise
                self._recalled = None
                self._exchange.task.uncancel()
                if self._exchange.cut_by is not None:
                    raise
                grant = await self._next_grant(grant, self._taken_back(why))

    async def _first_grant(self) -> Grant:
        dispatcher = self._gateway.dispatcher
        try:
            decision = dispatcher.offer(self._ticket) or await dispatcher.acquire(self._ticket)
        finally:  # Who left while waiting has waited too.
            self._queued = self._loop.time() - self._began
            model_class = self._ticket.model_id, self._ticket.priority
            self._gateway.metrics.waits[model_class].observe(self._queued)
        self._exchange.add_headers(quota_headers(decision.allowance))
        if isinstance(decision, Refusal):
            return await self._fall_back(decision, refusal_error(decision))
        return decision

    async def _next_grant(self, grant: Grant, failed: Failed) -> Grant:
        """Ask for another server; where there is none, the failure is what the client hears of."""
        self._entry.fail_attempt(failed.failure)
        logger.info(
            "request %s: attempt %d at server %s: %s",
            grant.id,
            grant.attempt,
            grant.server_id,
            failed.failure.value,
        )
        decision = await self._gateway.dispatcher.retry(
            self._ticket, grant, failed.failure, failed.retry_after_ms
        )
        if isinstance(decision, Grant):
            return decision
        if decision.code is RefusalCode.FULL:
            raise refusal_error(decision)
        failed.error.retry_after_ms = decision.retry_after_ms
        return await self._fall_back(decision, failed.error, grant.attempt)

    async def _fall_back(self, refusal: Refusal, error: ApiError, attempts: int = 0) -> Grant:
        """Go to the declared fallback, once. Raises `error` when that cannot serve either."""
        gateway, ticket, began = self._gateway, self._ticket, self._loop.time()
        wish = self._exchange.header(FALLBACK)
        order = stand_in(gateway.table, gateway.stops, self._order, refusal, wish)
        if order is None or self._has_fallen_back:
            raise error
        self._has_fallen_back, self._order = True, order
        self._ticket = ticket_for(ticket, order, attempts, round((began - self._began) * 1000))
        try:
            decision = gateway.dispatcher.offer(self._ticket) or await gateway.dispatcher.acquire(
                self._ticket
            )
        finally:
            self._queued += self._loop.time() - began
        if isinstance(decision, Refusal):
            raise refusal_error(decision) if decision.code in TOLD_OF_FALLBACK else error
        self._entry.fallback_id = order.model.id
        self._exchange.add_header(FALLBACK, order.model.name.encode())
        return decision

    def _taken_back(self, why: Failure) -> Failed:
        """Return the failure of a recalled attempt. Raises `Interrupted` when its answer had begun."""
        if self._passage is not None and self._passage.committed:
            raise Interrupted(why, ApiError(Code.INTERRUPTED))
        return Failed(why)

    async def _attempt(self, grant: Grant) -> None:
        self._grant = grant
        self._entry.begin_attempt(grant)
        model = self._order.model
        self._target = target = self._gateway.target(model.id, grant)
        self._impact.begin(target.deployment.machine, self._order.endpoint)
        self._passage = passage = Passage(
            self._exchange,
            self,
            Renaming(target.deployment.served_name, model.name),
            target.hidden_words(model.name),
            partial(self._gateway.targets.is_other_model, target),
            endpoint=self._order.endpoint,
            strip_usage=not (self._order.wants_usage or self._impact.wishes),
            asked=self._asked,
            more=self._impact.told if self._impact.wishes else None,
        )
        response = await self._send(target)
        try:
            limit = self._gateway.limits.max_held_answer_bytes
            await passage.carry(response, self._gateway.bodies, limit)
        finally:
            response.abort()

    async def _send(self, target: Target) -> Response:
        assert self._body is not None
        order, gateway = self._order, self._gateway
        ask_usage = order.stream and reports_usage_when_asked(order.endpoint)
        data = self._body.rewritten(
            target.deployment.served_name,
            ask_usage=ask_usage,
            priority=priority_told(order, target.server),
        )
        path = at_server(order.endpoint, self._exchange.query)
        headers = self._headers_for_server()
        try:
            return await gateway.client.request(
                target.destination, "POST", path, headers, data, gateway.timeouts
            )
        except UpstreamError as error:
            raise Failed(error.failure) from None

    def _headers_for_server(self) -> Headers:
        """Return what a server is told. The id is ours: llama-cpp-python refuses any that is no UUID."""
        passed = [pair for pair in self._exchange.headers if pair[0] in _PASSED_UPSTREAM]
        return [
            (b"content-type", self._order.content_type),
            (b"x-request-id", self._ticket.id.encode()),
            *passed,
        ]

    # What the passage tells, always before the client learns of it.

    def commits(self) -> None:
        self._drop_body()
        if self._exchange.header(EXPLAIN) and not self._exchange.started:
            self._exchange.add_header(EXPLAIN, self._explanation())

    def first_token(self) -> None:
        self._entry.first_token(round((self._loop.time() - self._began) * 1000))

    def completes(self, http_status: int, usage: Usage) -> None:
        self._close(OK, RequestStatus.OK, http_status, usage)

    # Once a second, from the rounds.

    async def look(self, now: float) -> None:
        """Give who waits a sign of life, the accounts a tick, and what runs too long an end."""
        limits, passage = self._gateway.limits, self._passage
        if self._entry.closed:
            return
        if now - self._began - self._queued > limits.run_seconds:
            self._exchange.cut(Cut.TOO_LONG)
        elif passage is not None and passage.committed:
            if now - self._last_tick >= limits.tick_seconds:
                self._last_tick = now
                self._entry.tick(passage.meter.content_events)
        elif self._order.stream and self._order.endpoint in WRITING:  # others may never stream
            await self._show_life(now)

    async def _show_life(self, now: float) -> None:
        """Send a comment to a stream for which nothing has come yet.

        Its status is held back for a while, so that a refusal can still be a true 503; the first comment
        settles it.
        """
        limits, exchange = self._gateway.limits, self._exchange
        patience = limits.comment_seconds if exchange.started else limits.hold_back_seconds
        if now - self._last_sign >= patience:
            self._last_sign = now
            await exchange.try_write(b": in progress, %b\n\n" % self._whereabouts().encode())

    def _whereabouts(self) -> str:
        """Return in words how far a request is that has no answer yet."""
        place = self._gateway.dispatcher.place(self._ticket.id)
        if place is None:
            return "a server has it"
        told = f"place {place.position} of {place.waiting}"
        return f"{told}, about {math.ceil(place.wait_ms / 1000)} s" if place.wait_ms else told

    # How it ends: synchronous, the first that says so is believed.

    def _close_with(self, error: ApiError, http_status: int) -> None:
        """Account a request that ends with the client's mistake, for want of a server, or by a server's fault."""
        if error.code in _REFUSALS:
            status = RequestStatus.REFUSED
        elif error.status >= 500:
            status = RequestStatus.SERVER_ERROR
        else:
            status = RequestStatus.CLIENT_ERROR
        told = self._exchange.status or http_status
        self._close(OK, status, told, Usage(), error.code or "upstream_error")

    def _close_broken(self, broken: Interrupted) -> None:
        status, usage = self._exchange.status, self._usage_so_far()
        code = broken.error.code or ""
        self._close(broken.failure, RequestStatus.SERVER_ERROR, status, usage, code)

    def _close_cut(self) -> None:
        """Account what ended from outside, by what a server had been asked for."""
        cut = self._exchange.cut_by or Cut.STOPPING
        told = ApiError(TOLD[cut]).status if cut in TOLD else CLIENT_CLOSED_REQUEST
        answered = self._passage is not None and self._passage.committed
        self._close(
            OK if answered else UNUSED,
            RequestStatus.INTERRUPTED if cut in TOLD else RequestStatus.ABANDONED,
            self._exchange.status or told,
            self._usage_so_far(),
            cut,
        )

    def _close(
        self,
        outcome: str,
        status: RequestStatus,
        http_status: int,
        usage: Usage,
        error_code: str = "",
    ) -> None:
        if self._passage is not None:
            self._entry.model_served = self._passage.renaming.seen
        energy = self._impact.energy(usage) if self._was_served(http_status) else None
        self._entry.close(outcome, status, http_status, usage, error_code, energy)

    def _was_served(self, http_status: int) -> bool:
        """Say whether a server has answered: with tokens, or with something that has none."""
        answered = self._passage is not None and self._passage.committed
        return self._entry.is_trying and answered and http_status < 300

    def _usage_so_far(self) -> Usage:
        """Return what a cut request has used: what came, or at least what a server was sent."""
        if self._passage is None or not self._entry.is_trying:
            return Usage()
        usage = self._passage.meter.usage
        if usage.source is UsageSource.NONE:
            return usage_sent(self._order.endpoint, self._asked)
        return usage

    def _drop_body(self) -> None:
        if self._body is not None:
            self._gateway.bodies.give_back(self._body.size)
            self._body = None

    def _status_told(self, error: ApiError) -> int:
        """Return the status to tell; some keys keep the 200 that chat pages were given instead of a 503."""
        keeps_200 = self._order.principal.answers_200_when_full
        return 200 if keeps_200 and error.code in _SAID_WITH_200 else error.status

    def _explanation(self) -> bytes:
        assert self._target is not None
        assert self._grant is not None
        explanation = self._grant.explain
        facts = {
            "request": self._ticket.id,
            "site": self._target.server.site,
            "institution": self._target.server.institution,
            "class": self._ticket.priority,
            "data_class": self._ticket.labels,
            **msgspec.structs.asdict(explanation),
            "why": explanation.in_words,
            "attempts": self._grant.attempt,
            "queued_ms": round(self._queued * 1000),
        }
        return json.dumps(facts).encode()
