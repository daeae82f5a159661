"""A fixed set of synthetic prompts, as users would send them: a server in staging answers each before it is live."""

from collections.abc import Awaitable, Callable
from functools import partial

from routing.core.conformity import Check, Finding
from routing.upstream.conformity.asking import Outcome, failed, ok
from routing.upstream.conformity.chatting import CHAT_PATH, ask, conversation
from routing.upstream.conformity.subject import Subject

TOKENS, LIMIT = 160, 12
SECONDS = 60.0
ENDINGS = frozenset({"stop", "length"})
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
FRENCH = ("Explique à une étudiante de première année ce qu’est un laboratoire de recherche.",)
ENGLISH = ("Explain to a first-year student what peer review is.",)
CONVERSATION = (
    "Je prépare un exposé sur les marées.",
    "Avec plaisir. Quel en est le public ?",
    "Des lycéens. Propose-moi un plan en trois parties.",
)
CODE = ("Write a Python function that returns the median of a list of numbers, with a docstring.",)
SIGNS = ("Recopie exactement : « Œuvre, naïveté, 12 € – ½ · ελληνικά · 中文 · 🎓 »",)


async def answers(subject: Subject, prompts: tuple[str, ...], *, stream: bool = False) -> Outcome:
    """It answers with a text, ends as documented, and breaks no character."""
    body = conversation(subject.declared.served_name, *prompts, max_tokens=TOKENS, stream=stream)
    said = await ask(subject.asker, body, seconds=SECONDS)
    if isinstance(said, Outcome):
        return said
    if not said.text:
        return failed(Finding.EMPTY_ANSWER)
    if REPLACEMENT in said.text.rstrip(REPLACEMENT):  # the limit may cut the last one in two
        return failed(Finding.BROKEN_SIGNS)
    if said.finish not in ENDINGS:
        return failed(Finding.UNFINISHED)
    return ok(Finding.ANSWERED, tokens=said.completion_tokens or said.pieces)


async def keeps_limit(subject: Subject) -> Outcome:
    """It stops where it is told to: what a request may cost hangs on it."""
    body = conversation(subject.declared.served_name, *FRENCH, max_tokens=LIMIT)
    said = await ask(subject.asker, body, seconds=SECONDS)
    if isinstance(said, Outcome):
        return said
    written = said.completion_tokens
    if written is not None and written > LIMIT:
        return failed(Finding.LIMIT_IGNORED, tokens=written, limit=LIMIT)
    return ok(Finding.ANSWERED, tokens=written or 0)


async def refuses_nonsense(subject: Subject) -> Outcome:
    """A request that is none gets an error that is one, and the next is answered again."""
    answer = await subject.asker.post(
        CHAT_PATH, {"model": subject.declared.served_name, "messages": "nonsense"}
    )
    if answer.ok:
        return failed(Finding.ACCEPTS_NONSENSE, status=answer.status)
    return await answers(subject, ENGLISH)


REPLAY: dict[Check, Callable[[Subject], Awaitable[Outcome]]] = {
    Check.REPLAY_FRENCH: partial(answers, prompts=FRENCH),
    Check.REPLAY_ENGLISH: partial(answers, prompts=ENGLISH),
    Check.REPLAY_CONVERSATION: partial(answers, prompts=CONVERSATION),
    Check.REPLAY_CODE: partial(answers, prompts=CODE),
    Check.REPLAY_SIGNS: partial(answers, prompts=SIGNS),
    Check.REPLAY_LIMIT: keeps_limit,
    Check.REPLAY_STREAM: partial(answers, prompts=ENGLISH, stream=True),
    Check.REPLAY_BAD_REQUEST: refuses_nonsense,
}
