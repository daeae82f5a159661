"""How fast a server writes and reads, learnt from the answers that pass: seconds per token, whatever their length.

A whole answer's time is mostly its length and says nothing of the server. What does is the time between two
tokens, which grows about linearly with the requests that run beside, `alone + each · n`, and the seconds of
prefill per prompt token. All are ratios of decayed sums: a mean of ratios would be drawn up by every stall.
"""

ALONE, EACH = 0.02, 3e-4
"""Seconds per token of an unknown server, and what each request beside adds: hopeful, so that it is tried."""
PREFILL, PREFILL_SECONDS = 4e-4, 0.4
"""Seconds per prompt token of an unknown server, and how many of them that assumption weighs."""
LEAST_PREFILL, LEAST_PROMPT = 2e-5, 300
"""Bounds: no server reads faster, and of shorter prompts the network's share would be measured."""

_KEPT_DECODE, _KEPT_PREFILL = 0.92, 0.95
_FORGETS = 1.0003  # how the best that was ever seen fades, per look
_EACH_WEIGHT = 0.1


class Pace:
    """One server's. Times in seconds."""

    __slots__ = (
        "_decode_seconds",
        "_decode_tokens",
        "_fastest_prefill",
        "_prefill_seconds",
        "_prefill_tokens",
        "_running_seconds",
        "alone",
        "each",
    )

    def __init__(self) -> None:
        self.alone: float | None = None
        """Seconds per token when nothing else runs: the best that was seen, slowly forgotten."""
        self.each = EACH
        self._decode_seconds = self._decode_tokens = self._running_seconds = 0.0
        self._prefill_seconds = PREFILL_SECONDS
        self._prefill_tokens = PREFILL_SECONDS / PREFILL
        self._fastest_prefill = PREFILL

    @property
    def between_tokens(self) -> float | None:
        """Return the seconds between two tokens of a stream lately, None when none were seen."""
        return self._decode_seconds / self._decode_tokens if self._decode_tokens else None

    @property
    def running(self) -> float:
        """Return how many requests ran beside each other while that was seen."""
        return self._running_seconds / self._decode_seconds if self._decode_seconds else 0.0

    @property
    def prefill(self) -> float:
        """Return the seconds per prompt token now."""
        return max(LEAST_PREFILL, self._prefill_seconds / self._prefill_tokens)

    @property
    def best_prefill(self) -> float:
        """Return the seconds per prompt token when nothing is in the way."""
        return self._fastest_prefill

    def with_running(self, n: int, hoped: float = ALONE) -> float:
        """Return the seconds between tokens to expect with `n` running; `hoped` stands in when none were seen."""
        return (hoped if self.alone is None else self.alone) + self.each * n

    def wrote(self, tokens: int, stream_seconds: float, running: int) -> None:
        """Note that streams wrote `tokens` in `stream_seconds` (the sum over them), `running` in flight."""
        if not tokens or stream_seconds <= 0:
            return
        self._decode_seconds = _KEPT_DECODE * self._decode_seconds + stream_seconds
        self._decode_tokens = _KEPT_DECODE * self._decode_tokens + tokens
        self._running_seconds = _KEPT_DECODE * self._running_seconds + stream_seconds * running
        best = stream_seconds / tokens if self.alone is None else self.alone
        self.alone = min(best, stream_seconds / tokens) * _FORGETS
        lately = self._decode_seconds / self._decode_tokens
        each = max(1e-5, (lately - self.alone) / max(1.0, self.running))
        self.each += _EACH_WEIGHT * (each - self.each)

    def read(self, backlog: float, seconds: float) -> None:
        """Note that a first token came after `seconds`, with `backlog` prompt tokens to read until then."""
        prefill = max(0.0, seconds - (self.between_tokens or 1.5 * ALONE))
        tokens = max(LEAST_PROMPT, backlog)
        self._prefill_seconds = _KEPT_PREFILL * self._prefill_seconds + prefill
        self._prefill_tokens = _KEPT_PREFILL * self._prefill_tokens + tokens
        self._fastest_prefill = min(self.prefill, self._fastest_prefill * 1.01)
