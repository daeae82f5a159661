"""What happened to a request, in words and as a timeline: how long it waited, where it went, and why there."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from billing.usage.stories import Story, Try
from routing.core.enums import Lane, Reason, RequestStatus
from routing.core.request import OK, Explanation
from routing.core.retry import Failure

GOOD, BAD, WAITING, WORKING = "good", "bad", "waiting", "working"
"""How a step of the timeline is drawn."""


@dataclass(frozen=True)
class Step:
    """A part of the time between a request's arrival and its end; `left` and `width` are per cent of it."""

    label: str
    note: str
    start_ms: int
    length_ms: int
    tone: str
    left: str
    width: str


@dataclass(frozen=True)
class Why:
    """An attempt with its outcome and the sentences that explain it; none where the router did not say."""

    attempt: Try
    outcome: str
    failed: bool
    sentences: tuple[str, ...]


def explained(story: Story) -> list[Why]:
    """Return each attempt in words, in their order."""
    return [
        Why(
            attempt=each,
            outcome=outcome_text(each.outcome),
            failed=each.outcome in set(Failure),
            sentences=tuple(_sentences(each.explanation, story.request.priority))
            if each.explanation
            else (),
        )
        for each in story.tries
    ]


def timeline(story: Story) -> list[Step]:
    """Return the steps from arrival to end, without gap; empty when an attempt's end was not noted."""
    if any(each.ended_ms is None for each in story.tries):
        return []
    end = max([story.request.duration_ms, *(each.ended_ms or 0 for each in story.tries)])
    steps = []
    for label, note, start, stop, tone in _parts(story, end):
        if stop > start:
            left, width = 100 * start / max(1, end), 100 * (stop - start) / max(1, end)
            shown = f"{left:.2f}", f"{max(width, 0.4):.2f}"
            steps.append(Step(label, note, start, stop - start, tone, *shown))
    return steps


Part = tuple[str, str, int, int, str]
"""(label, note, start, end, tone)"""


def _parts(story: Story, end: int) -> Iterator[Part]:
    at = 0
    for each in story.tries:
        waited = each.explanation.waited_ms if each.explanation else 0
        asked = max(at, each.started_ms - waited)
        yield _("prepared"), "", at, asked, WORKING
        yield _("waited for a server"), "", asked, each.started_ms, WAITING
        at = each.ended_ms or each.started_ms
        yield from _attempt_parts(story, each, at)
    if story.request.is_limited:
        yield _("came to an end"), "", at, end, WORKING
    elif (
        story.request.status in (RequestStatus.REFUSED, RequestStatus.ABANDONED) or not story.tries
    ):
        yield _("waited for a server"), "", at, end, WAITING
    else:
        yield _("came to an end"), "", at, end, WORKING


def _attempt_parts(story: Story, each: Try, stop: int) -> Iterator[Part]:
    where = f"{each.server} · {each.institution}" if each.server else ""
    is_last = each is story.tries[-1]
    first = story.request.first_token_ms if is_last else None
    label = _("attempt %(n)s") % {"n": each.n}
    if first is None or not each.started_ms <= first <= stop:
        yield label, where, each.started_ms, stop, GOOD if each.outcome == OK else BAD
        return
    yield (
        _("%(attempt)s, to the first token") % {"attempt": label},
        where,
        each.started_ms,
        first,
        WORKING,
    )
    yield (
        _("%(attempt)s, the answer") % {"attempt": label},
        where,
        first,
        stop,
        (GOOD if each.outcome == OK else BAD),
    )


def outcome_text(outcome: str) -> str:
    """Return how an attempt ended, in words; a code that nobody has words for stays a code."""
    texts = {
        OK: pgettext("what a server did", "answered"),
        Failure.CONNECT: _("took no connection"),
        Failure.LOST: _("the connection broke"),
        Failure.TIMEOUT: _("stayed silent"),
        Failure.SERVER_ERROR: _("failed with an error of its own"),
        Failure.FULL: _("was full"),
        Failure.BAD_ANSWER: _("gave no usable answer"),
        Failure.DENIED: _("refused the federation’s access key, or may not be reached"),
        Failure.NO_ENDPOINT: _("did not know the path"),
        Failure.NO_MODEL: _("did not know the model: it ran another one"),
        Failure.QUEUED: _("let it wait in a queue of its own"),
        Failure.GONE: _("had just left the federation"),
        "client_left": _("the client left"),
        "slow_client": _("the client read nothing"),
        "run_timeout": _("it ran longer than a request may"),
        "router_stopping": _("the router was restarted"),
    }
    return texts.get(outcome, outcome)


def _sentences(why: Explanation, priority: int) -> Iterator[str]:
    yield _lane_text(why, priority)
    yield _reason_text(why)


def _lane_text(why: Explanation, priority: int) -> str:
    match why.lane:
        case Lane.RETRY:
            return _("The attempt before had failed: it was next again, in its old place.")
        case Lane.OWNER:
            return _("Its institution’s own server: it went before every guest.")
        case Lane.MINIMUM:
            return _(
                "Its model had fallen below its minimum service: class P%(priority)s went before "
                "other models’ requests."
            ) % {"priority": priority}
        case Lane.SHARE:
            return _(
                "It was the turn of class P%(priority)s by the minimum share that it is guaranteed, "
                "though higher classes waited."
            ) % {"priority": priority}
    if why.waited_ms:
        return _("It waited for its turn in class P%(priority)s.") % {"priority": priority}
    return _("It did not have to wait.")


def _reason_text(why: Explanation) -> str:
    match why.reason:
        case Reason.ONLY_ONE:
            return _("No other server could serve it.")
        case Reason.TRIAL:
            return _(
                "This server had been set aside after failures: the request found out whether it is back."
            )
        case Reason.ONLY_FREE:
            return ngettext(
                "Only this one of %(count)s server that could serve it was free.",
                "Only this one of the %(count)s servers that could serve it was free.",
                why.candidates,
            ) % {"count": why.candidates}
    free = _("%(free)s of the %(candidates)s servers that could serve it were free;") % {
        "free": why.free,
        "candidates": why.candidates,
    }
    return f"{free} {_preference_text(why)}"


def _preference_text(why: Explanation) -> str:
    in_flight = number_format(why.in_flight, force_grouping=True)
    match why.reason:
        case Reason.TURN:
            return _("it was this one’s turn.")
        case Reason.LEAST_IN_FLIGHT:
            return _("this one had the fewest requests in flight (%(count)s).") % {
                "count": in_flight
            }
        case Reason.KNOWN_PROMPT:
            return _(
                "this one was expected to be quickest: it had read the beginning of the prompt before "
                "(about %(tokens)s tokens)."
            ) % {"tokens": number_format(why.known_tokens, force_grouping=True)}
    return _("this one was expected to be quickest, with %(count)s requests in flight.") % {
        "count": in_flight
    }
