"""The twelve goals of the design (ROUTER.md 4), measured, beside the best that any peer reaches.

A goal is judged by the mean over the seeds; how many seeds hold it alone is told too. The best peer is the best for
each figure alone, also when it fails the others, and tuned ones count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan, nan

from bench.simulation.arithmetic import mean
from bench.simulation.policies import OURS, PEERS
from bench.simulation.report import figure, row
from bench.simulation.runs import Result


class Bound(StrEnum):
    """How a figure is held against its goal."""

    AT_MOST = "≤"
    AT_LEAST = "≥"
    OF_BEST_PEER = "≥ best peer ×"


@dataclass(frozen=True)
class Criterion:
    """One figure of a goal."""

    goal: int
    scenario: str
    measure: str
    bound: Bound
    value: float
    what: str

    def is_met(self, measured: float, best_peer: float) -> bool:
        """Say whether the goal is reached; a number that is missing reaches none."""
        match self.bound:
            case Bound.AT_MOST:
                return measured <= self.value
            case Bound.AT_LEAST:
                return measured >= self.value
            case Bound.OF_BEST_PEER:
                return measured >= self.value * best_peer


AT_MOST, AT_LEAST, OF_BEST = Bound.AT_MOST, Bound.AT_LEAST, Bound.OF_BEST_PEER
_TOP = "TTFT p99 of class 5, s"
_SLO = "chats in SLO"
_OWNER = "owner's TTFT p99, s"
CRITERIA = (
    Criterion(1, "ramp50", "ttft_p99_P5", AT_MOST, 0.5, _TOP),
    Criterion(2, "ramp250", "chats_in_slo_per_s", OF_BEST, 1.0, "chats in SLO per second"),
    Criterion(2, "ramp250", "chats_in_slo", AT_LEAST, 0.98, _SLO),
    Criterion(3, "mix1.5", "ttft_p99_P5", AT_MOST, 2.0, _TOP),
    Criterion(4, "mix1.5", "chats_in_slo", AT_LEAST, 0.98, _SLO),
    Criterion(5, "mix1.5", "tokens_per_s", OF_BEST, 0.98, "useful tokens per second"),
    Criterion(6, "mix2.0", "jain_P1", AT_LEAST, 0.95, "Jain between institutions in class 1"),
    Criterion(6, "mix2.0", "ttft_p99_P5", AT_MOST, 2.0, _TOP),
    Criterion(6, "mix2.0", "chats_in_slo", AT_LEAST, 0.98, _SLO),
    Criterion(7, "owner", "owner_ttft_p99", AT_MOST, 1.5, _OWNER),
    Criterion(8, "ownerhard", "owner_ttft_p99", AT_MOST, 4.0, _OWNER),
    Criterion(9, "fail", "failed_before_first_byte", AT_MOST, 0, "failed before the first byte"),
    Criterion(9, "fail", "ttft_p99_P5", AT_MOST, 1.5, _TOP),
    Criterion(10, "hang", "noticed_after_s", AT_MOST, 5.0, "set aside after, s"),
    Criterion(10, "hang", "ttft_p99_P5", AT_MOST, 3.0, _TOP),
    Criterion(11, "shares", "guarantee_kept", AT_LEAST, 1.0, "least of share ÷ guaranteed share"),
    Criterion(12, "deadlines", "retry_after_error", AT_MOST, 0.30, "Retry-After: median error"),
    Criterion(12, "deadlines", "late_answers", AT_MOST, 0, "answers after the deadline"),
)
SCENARIOS = tuple(dict.fromkeys(criterion.scenario for criterion in CRITERIA))


def table(results: Sequence[Result]) -> str:
    """Return each goal with what was measured, the best peer, and whether it is held."""
    lines = [
        row(["#", "scenario", "what", "goal", "measured [least–most]", "best peer", "seeds", ""]),
        row(["---"] * 8),
    ]
    lines += [_line(criterion, results) for criterion in CRITERIA]
    return "\n".join(lines) + "\n"


def _line(criterion: Criterion, results: Sequence[Result]) -> str:
    own = [
        result.measures.get(criterion.measure, nan)
        for result in results
        if result.scenario == criterion.scenario and result.policy == OURS
    ]
    cells = [
        str(criterion.goal),
        criterion.scenario,
        criterion.what,
        f"{criterion.bound} {criterion.value:g}",
    ]
    peer, best = _best_peer(criterion, results)
    if not own:
        return row([*cells, "not run", "", "", ""])
    value = mean(own)
    if criterion.bound is Bound.OF_BEST_PEER and isnan(best):
        return row([*cells, figure(value), "none was run", "", ""])
    held = sum(criterion.is_met(each, best) for each in own)
    return row(
        [
            *cells,
            f"{figure(value)} [{figure(min(own))}–{figure(max(own))}]",
            f"{figure(best)} {peer}".strip(),
            f"{held} of {len(own)}",
            "held" if criterion.is_met(value, best) else "**missed**",
        ]
    )


def _best_peer(criterion: Criterion, results: Sequence[Result]) -> tuple[str, float]:
    """Return the peer with the best mean, and that mean; NaN when no peer has any."""
    means: dict[str, float] = {}
    for peer in PEERS:
        means[peer] = mean(
            result.measures.get(criterion.measure, nan)
            for result in results
            if result.scenario == criterion.scenario and result.policy == peer
        )
    known = {peer: value for peer, value in means.items() if not isnan(value)}
    if not known:
        return "", nan
    choose = min if criterion.bound is AT_MOST else max
    best = choose(known, key=lambda peer: known[peer])
    return best, known[best]
