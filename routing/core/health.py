"""How well one server does, as told by its answers: healthy, ejected, on trial, and how much it may be given.

    healthy --(failures, or a failed probe)--> ejected --(back-off over)--> on trial --(success)--> healthy, slowly
                                                  ^-----------(failure)----------'

A client's mistake never arrives here, but a poisonous request may look like a server's fault. So what one
institution met alone ejects nobody: it has the server probed at once. Not here: who is chosen.
"""

from routing.core.enums import Health
from routing.core.retry import Failure

THRESHOLD = 3
"""Failures in a row that eject when two institutions met them, and ask for a probe when one did."""
BACKOFF_SECONDS, BACKOFF_CAP = 2.0, 60.0
FORGIVEN_AFTER = 60.0
"""Seconds of good health after which the next ejection is short again."""
HOLD_SECONDS, HOLD_CAP = 1.0, 60.0
"""How long a full server gets nothing when it did not say; doubles while it stays full."""
SLOW_START, SLOW_STEP, SLOW_STEPS = 2, 2.0, 6
"""After an ejection: 2 requests at once, doubled every 2 s, no ceiling after 12 s."""
PROBE_IDLE = 30.0
"""Seconds without a sign of life after which a healthy server is probed."""
PROBE_PATIENCE = 30.0
"""Seconds after which a probe that nobody answered for is forgotten."""

TRIAL_PATIENCE = 10.0
"""Seconds after which a server is probed though a request tries it: that one may never end."""

PROBE = "probe"
_NEVER = -1e18


class ServerHealth:
    """One server's health. `by` names an attempt; only the one on trial decides about an ejected server."""

    __slots__ = (
        "_ejected_until",
        "_ejections",
        "_fulls",
        "_grow_from",
        "_grow_since",
        "_healed_at",
        "_held_until",
        "_probe_until",
        "_sign_at",
        "_trial",
        "_trial_since",
        "_witnesses",
        "failures",
        "restrained",
        "times_ejected",
    )

    def __init__(self) -> None:
        self.failures = 0
        """Consecutive failures, for people to see."""
        self.restrained = False
        """Whether `admits` has to be asked; False is the usual case, made cheap."""
        self.times_ejected = 0
        """How often it was set aside; trials that fail while it is are not counted."""
        self._witnesses: set[str] = set()
        self._ejections = 0
        self._ejected_until: float | None = None
        self._trial = ""
        self._trial_since = _NEVER
        self._fulls = 0
        self._held_until = _NEVER
        self._grow_from = 0
        self._grow_since = _NEVER
        self._healed_at = _NEVER
        self._sign_at = _NEVER
        self._probe_until = _NEVER

    @property
    def state(self) -> Health:
        if self._ejected_until is None:
            return Health.HEALTHY
        return Health.PROBING if self._trial else Health.EJECTED

    def admits(self, in_flight: int, now: float) -> bool:
        """Say whether a healthy server may be given one more than `in_flight`."""
        ceiling = self.ceiling(now)
        self.restrained = ceiling is not None
        return ceiling is None or in_flight < ceiling

    def ceiling(self, now: float) -> int | None:
        """Return how many at once this state allows, None when any number."""
        if self._ejected_until is not None or now < self._held_until:
            return 0
        steps = self._steps(now)
        return self._grow_from << steps if steps < SLOW_STEPS else None

    def is_due(self, now: float) -> bool:
        """Say whether the server is ejected and may be tried with one request."""
        self._forget_lost_probe(now)
        return self._ejected_until is not None and not self._trial and self._ejected_until <= now

    def opens_at(self, now: float) -> float | None:
        """Return when time alone will let more through, None when only an event can."""
        if self._ejected_until is not None:
            return None if self._trial == PROBE else self._ejected_until
        if now < self._held_until:
            return self._held_until
        steps = self._steps(now)
        return self._grow_since + (steps + 1) * SLOW_STEP if steps < SLOW_STEPS else None

    def begin_trial(self, by: str, now: float) -> None:
        """Let one attempt decide about an ejected server that is due."""
        self._trial, self._trial_since = by, now

    def succeeded(self, by: str, now: float) -> None:
        """Note an answer; the trial's heals."""
        self._sign_at = now
        if self._ejected_until is not None:
            if self._trial == by:
                self._heal(now)
            return
        self._forget_failures()
        self._fulls = 0
        if now - self._healed_at > FORGIVEN_AFTER:
            self._ejections = 0

    def failed(self, failure: Failure, by: str, institution_id: str, now: float) -> None:
        """Note a failure that harms health, met by a request of `institution_id`."""
        if self._ejected_until is not None:
            if self._trial == by:  # What was sent before the ejection brings no news.
                self._eject(now)
            return
        self.failures += 1
        self._witnesses.add(institution_id)
        if failure is Failure.CONNECT:  # No request brings that about.
            self._eject(now)
        elif self.failures >= THRESHOLD:
            if len(self._witnesses) > 1:
                self._eject(now)
            else:
                self._sign_at = _NEVER

    def stopped(self, now: float) -> None:
        """Note that the engine has stopped: nothing that it runs gets a token any more."""
        if self._ejected_until is None or self._trial:
            self.failures += 1
            self._eject(now)

    def was_full(self, by: str, in_flight: int, retry_after: float, now: float) -> None:
        """Note that the server had no room beside `in_flight` others; it asked for `retry_after` s, 0 if not.

        It is held back, then filled slowly from what it held: else all who wait would run into it at once.
        """
        self._sign_at = now
        if self._ejected_until is not None:
            if self._trial != by:
                return
            self._heal(now)
        if now >= self._held_until:
            self._fulls += 1
        pause = retry_after or HOLD_SECONDS * 2 ** min(self._fulls - 1, 6)
        self._held_until = max(self._held_until, now + min(pause, HOLD_CAP))
        self._grow(max(1, in_flight), self._held_until)

    def was_unused(self, by: str) -> None:
        """Note that an attempt ended without news; another trial may follow."""
        if self._trial == by:
            self._trial = ""

    def probe_is_due(self, now: float) -> bool:
        """Say whether somebody should look after the server."""
        self._forget_lost_probe(now)
        if now < self._probe_until:
            return False
        if self._trial:
            return now - self._trial_since >= TRIAL_PATIENCE
        if self._ejected_until is not None:
            return self._ejected_until <= now
        return now - self._sign_at >= PROBE_IDLE

    def begin_probe(self, now: float) -> None:
        self._probe_until = now + PROBE_PATIENCE
        if self._ejected_until is not None:
            self.begin_trial(PROBE, now)

    def probed(self, failure: Failure | None, now: float) -> None:
        """Note what a probe found. No client is behind it: a failure that harms health ejects at once."""
        self._probe_until = _NEVER
        if failure is None:
            self._sign_at = now
            if self._trial == PROBE:
                self._heal(now)
        elif self._ejected_until is None or self._trial == PROBE:
            self.failures += 1
            self._eject(now)

    def _eject(self, now: float) -> None:
        pause = min(BACKOFF_SECONDS * 2 ** min(self._ejections, 10), BACKOFF_CAP)
        self._ejections += 1
        self.times_ejected += self._ejected_until is None
        self._ejected_until = now + pause
        self._trial = ""
        self.restrained = True

    def _heal(self, now: float) -> None:
        self._ejected_until = None
        self._trial = ""
        self._healed_at = now
        self._forget_failures()
        self._grow(SLOW_START, now)

    def _grow(self, start: int, since: float) -> None:
        self._grow_from, self._grow_since = start, since
        self.restrained = True

    def _steps(self, now: float) -> int:
        return int(min((now - self._grow_since) // SLOW_STEP, SLOW_STEPS))

    def _forget_failures(self) -> None:
        self.failures = 0
        self._witnesses.clear()

    def _forget_lost_probe(self, now: float) -> None:
        if self._trial == PROBE and now >= self._probe_until:
            self._trial = ""
