"""What hard budgets leave: reserved when a request is admitted, counted when its closing line is written.

What was used is what the accounts have stored up to a place in this router's spool, which the clerk tells, and what
was counted here behind that place: so nothing is counted twice or forgotten, whoever is killed. Up to `granted` it may
be used; the clerk raises that in slices, up to `limit`. Both are cumulative since the budget began and never fall, so a
word that is late or lost does no harm. All of a budget can be used: a request for which too little is left still runs
when it is the only one. So it is passed by one request's estimate at the most, and by what requests that run at once
use beyond theirs.

Pure, and told the time. Not here: what budgets there are (`table`), windows (`billing.budgeting.standing`).
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from routing.core.enums import BudgetUnit, Endpoint, RoutingMode
from routing.core.pricing import (
    FREE,
    Accounted,
    Position,
    Standing,
    Standings,
    counted,
    dearest,
)
from routing.core.request import Refusal, RefusalCode, Ticket
from routing.core.table import FEDERATION, Budget, Model, Table
from routing.core.usage import DRAWING, WRITING

WAIT_SECONDS = 2.0
"""How long a request waits for a slice, or for what others have reserved, before it is refused."""
MOST_WAITING = 1000
UNKNOWN_CONTEXT = 32_768
"""Tokens that an answer may have of which neither the client nor the catalogue tells a bound."""
ONE_PROMPT = WRITING - {Endpoint.COMPLETIONS}
"""Endpoints whose prompt is one, so that no server takes more than the model's context."""
START: Position = (0, 0)


class Purse:
    """One budget as the router keeps it. `since` is where in the spool it began to count."""

    __slots__ = ("_behind", "_heard", "_tail", "budget", "reserved", "since", "standing")

    def __init__(self, budget: Budget, since: Position) -> None:
        self.budget = budget
        self.since = since
        self.standing: Standing | None = None
        self.reserved = 0
        self._heard = START
        self._tail: deque[tuple[Position, int]] = deque()
        self._behind = 0  # the sum of the tail

    @property
    def used(self) -> int:
        """What is counted, in the accounts and behind."""
        return self._behind + (self.standing.spent if self.standing else 0)

    def hear(self, standing: Standing, position: Position) -> None:
        """Take the accounts' word as of a place in the spool; an older one says nothing."""
        if position < self.since or position < self._heard:
            return
        self._heard = position
        while self._tail and self._tail[0][0] <= position:
            self._behind -= self._tail.popleft()[1]
        self.standing = standing

    def count(self, amount: int, position: Position) -> None:
        self._tail.append((position, amount))
        self._behind += amount

    def lacks(self, amount: int) -> RefusalCode | None:
        """Return why so much is not there now, None when it is."""
        told = self.standing
        if told is None:
            return RefusalCode.BUDGET_UNKNOWN
        if self.used + self.reserved + amount <= told.granted:
            return None
        if self.used >= told.limit:
            return RefusalCode.BUDGET
        if self.need(amount) > told.granted:
            return RefusalCode.BUDGET_UNKNOWN
        return RefusalCode.BUDGET_IN_USE if self.reserved else None

    def need(self, amount: int) -> int:
        """Return up to where it would have to be granted for so much; 0 when that is not known."""
        told = self.standing
        return min(told.limit, self.used + self.reserved + amount) if told else 0


class Lack(NamedTuple):
    """Of which budget how much is not there, and why."""

    purse: Purse
    amount: int
    why: RefusalCode


class Waiting(NamedTuple):
    """A ticket that waits for budgets, and until when."""

    ticket: Ticket
    until: float
    lacks: tuple[Lack, ...]


class Budgets:
    """All hard budgets, and what each open request has reserved of them until it is counted or given back."""

    def __init__(self) -> None:
        self._budgets: Mapping[str, tuple[Budget, ...]] = {}
        self._purses: dict[str, Purse] = {}
        self._of: dict[str, tuple[Purse, ...]] = {}
        self._held: dict[str, list[tuple[Purse, int]]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._asks = False
        self._position = START

    def replace(self, budgets: Mapping[str, tuple[Budget, ...]]) -> None:
        """Go by these from now on. One that is new counts nothing before the accounts have caught up with now."""
        if budgets is self._budgets:
            return
        self._budgets, before = budgets, self._purses
        self._purses, self._of = {}, {}
        for owner, each in budgets.items():
            purses = [before.get(budget.id) or Purse(budget, self._position) for budget in each]
            for purse, budget in zip(purses, each, strict=True):
                purse.budget = budget
                self._purses[budget.id] = purse
            self._of[owner] = tuple(purses)

    def note(self, event: Accounted | Standings, table: Table) -> None:
        """Take note of a request that has ended, or of the accounts' word on some budgets."""
        if isinstance(event, Accounted):
            self._settle(event, table)
            return
        for standing in event.each:
            if purse := self._purses.get(standing.budget_id):
                purse.hear(standing, event.position)

    def admit(self, ticket: Ticket, table: Table, now: float) -> Refusal | Waiting | None:
        """Reserve what a request may use of all budgets that count it. Else nothing: say why, or let it wait."""
        known = self._waiting.pop(ticket.id, None) if self._waiting else None
        if not self._of:
            return None
        wanted = [
            (purse, amount)
            for purse in self._concerned(ticket)
            if (amount := estimate(purse.budget.unit, ticket, table))
        ]
        lacks = tuple(
            Lack(purse, amount, why) for purse, amount in wanted if (why := purse.lacks(amount))
        )
        if lacks:
            return self._put_off(ticket, lacks, known, now)
        if wanted:
            self._held[ticket.id] = wanted
        for purse, amount in wanted:
            purse.reserved += amount
        return None

    def _put_off(
        self, ticket: Ticket, lacks: tuple[Lack, ...], known: Waiting | None, now: float
    ) -> Refusal | Waiting:
        """Refuse what no waiting helps; let others wait, from when they first did."""
        for lack in lacks:
            if lack.why is RefusalCode.BUDGET:
                return _refusal(ticket, lack)
        until = known.until if known else now + min(WAIT_SECONDS, ticket.deadline_in_ms / 1000)
        if until <= now or len(self._waiting) >= MOST_WAITING:
            return _refusal(ticket, lacks[0])
        # Nothing was heard: once is asked, then the accounts say it as soon as they can.
        self._asks |= any(
            lack.why is RefusalCode.BUDGET_UNKNOWN and not (known and lack.purse.standing is None)
            for lack in lacks
        )
        waiting = self._waiting[ticket.id] = Waiting(ticket, until, lacks)
        return waiting

    def give_back(self, ticket_id: str) -> None:
        """A request uses nothing, or no longer waits: nothing of it stays reserved."""
        if self._waiting:
            self._waiting.pop(ticket_id, None)
        for purse, amount in self._held.pop(ticket_id, ()):
            purse.reserved -= amount

    def _settle(self, ended: Accounted, table: Table) -> None:
        """Count a request whose closing line is written; it is told once."""
        self.give_back(ended.id)
        self._position = max(self._position, ended.position)
        if not self._of:
            return
        model = table.names.names.models.get(ended.model_id)
        server = table.servers.servers.get(ended.server_id or "")
        is_own = server is not None and server.institution_id == ended.institution_id
        price = model.price if model else FREE
        for purse in self._concerned(ended):
            if amount := counted(ended, purse.budget.unit, price, is_own=is_own):
                purse.count(amount, ended.position)

    # Those who wait.

    def awaits(self, ticket_id: str) -> bool:
        return ticket_id in self._waiting

    @property
    def waiting(self) -> tuple[Ticket, ...]:
        """Those who wait, in the order in which they began to."""
        return tuple(each.ticket for each in self._waiting.values()) if self._waiting else ()

    def earliest(self) -> float | None:
        """Return when the first of them has waited long enough."""
        return min((each.until for each in self._waiting.values()), default=None)

    def pop_due(self, now: float) -> list[Refusal]:
        """Refuse those who have waited long enough."""
        due = [each for each in self._waiting.values() if each.until <= now]
        for each in due:
            del self._waiting[each.ticket.id]
        return [_refusal(each.ticket, each.lacks[0]) for each in due]

    def take_needs(self) -> dict[str, int]:
        """Return up to where budgets would have to be granted for all who wait; once, when that has grown.

        0 of one about which nothing was heard.
        """
        if not self._asks:
            return {}
        self._asks = False
        wanted: dict[Purse, int] = {}
        for each in self._waiting.values():
            for purse, amount, why in each.lacks:
                if why is RefusalCode.BUDGET_UNKNOWN:
                    wanted[purse] = wanted.get(purse, 0) + amount
        return {purse.budget.id: purse.need(amount) for purse, amount in wanted.items()}

    def _concerned(self, request: Ticket | Accounted) -> Iterator[Purse]:
        owners = request.key_id, request.application_id, request.institution_id, request.model_id
        for owner in (*owners, request.holder_id, FEDERATION):
            yield from self._of.get(owner, ())


def estimate(unit: BudgetUnit, ticket: Ticket, table: Table) -> int:
    """Return the most that a request is expected to use: its prompt, its sound, and the longest answer that it may get.

    What only an institution's own servers may answer is not billed.
    """
    if unit is BudgetUnit.REQUESTS:
        return 1
    model = table.names.names.models.get(ticket.model_id)
    if unit is BudgetUnit.NANO_EUROS and (model is None or ticket.mode is RoutingMode.PRIVATE_ONLY):
        return 0
    return max(_used(unit, ticket, model, prompt) for prompt in _prompts(ticket, model))


def _prompts(ticket: Ticket, model: Model | None) -> tuple[int, int]:
    """Return how long the prompt is likely to be, and at the most: a longer one may leave less to the answer."""
    most = ticket.prompt_most
    if model and model.max_model_len and ticket.endpoint in ONE_PROMPT:
        most = min(most, model.max_model_len)
    return ticket.prompt_estimate, max(most, ticket.prompt_estimate)


def _used(unit: BudgetUnit, ticket: Ticket, model: Model | None, prompt: int) -> int:
    answer = 0
    if ticket.endpoint in WRITING:
        context = (model.max_model_len if model else None) or UNKNOWN_CONTEXT
        answer = (ticket.max_tokens or max(context - prompt, 1)) * ticket.answers
    if unit is BudgetUnit.TOKENS or model is None:
        return prompt + answer
    images = ticket.answers if ticket.endpoint in DRAWING else 0
    return dearest(model.price, ticket.endpoint, prompt, answer, ticket.audio_ms, images)


def _refusal(ticket: Ticket, lack: Lack) -> Refusal:
    told = lack.purse.standing
    return Refusal(
        id=ticket.id,
        code=lack.why,
        retry_after_ms=0,
        budget=lack.purse.budget,
        renewed_at=told.renewed_at if told else None,
    )
