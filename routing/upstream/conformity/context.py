"""The context window: whether a prompt nearly as long as declared is really read, whole.

How many tokens a text has is the server's own tokenizer's secret, so that a short text is counted first.
"""

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import Outcome, failed, ok, skipped, warning
from routing.upstream.conformity.chatting import Said, ask, conversation
from routing.upstream.conformity.subject import Subject
from routing.upstream.probe import MODELS_PATH, read_models

MOST_TOKENS = 131_072
"""Longer windows are tried up to here: reading more would keep a server from others for minutes."""
SECONDS = 180.0
ANSWER_TOKENS = 8
SHORT_WORDS = 200
SHARE, MARGIN = 0.97, 48
"""Of the window, less some tokens for the template and the answer."""
UNCOUNTED_TOKENS_PER_WORD = 2.0
"""For a server that counts nothing: fewer words, and no certainty."""
READ_SHARE = 0.95
"""Of the tokens sent that must have been read: the rest is the estimate's."""
WORDS = ("le réseau des universités partage sa puissance de calcul avec la recherche " * 2).split()


async def context(subject: Subject) -> Outcome:
    declared = subject.declared.context_length
    if declared is None:
        return skipped(Finding.NOT_DECLARED)
    listed = await _listed_length(subject)
    if listed is not None and listed < declared:
        return failed(Finding.WINDOW_LISTED_SMALLER, listed=listed, declared=declared)
    short = await _said(subject, SHORT_WORDS)
    if isinstance(short, Outcome):
        return short
    per_word = (short.prompt_tokens or 0) / SHORT_WORDS
    wanted = int(min(declared, MOST_TOKENS) * SHARE) - MARGIN
    words = int(wanted / (per_word or UNCOUNTED_TOKENS_PER_WORD))
    if words <= SHORT_WORDS:
        return ok(Finding.WINDOW_FITS, tokens=short.prompt_tokens or 0, declared=declared)
    return _judged(await _said(subject, words), wanted, declared)


def _judged(long: Said | Outcome, wanted: int, declared: int) -> Outcome:
    if isinstance(long, Outcome) and long.finding is not Finding.REFUSED_REQUEST:
        return long
    # LMDeploy says nothing to what is too long, under a status of 200.
    if isinstance(long, Outcome) or not (long.text or long.completion_tokens):
        return failed(Finding.WINDOW_REFUSED, tokens=wanted, declared=declared)
    if long.prompt_tokens is None:
        return warning(Finding.WINDOW_UNSURE, tokens=wanted, declared=declared)
    if long.prompt_tokens < READ_SHARE * wanted:
        return failed(Finding.WINDOW_CUT, read=long.prompt_tokens, tokens=wanted, declared=declared)
    return ok(Finding.WINDOW_FITS, tokens=long.prompt_tokens, declared=declared)


async def _said(subject: Subject, words: int) -> Said | Outcome:
    text = " ".join(WORDS[place % len(WORDS)] for place in range(words))
    body = conversation(subject.declared.served_name, text, max_tokens=ANSWER_TOKENS)
    return await ask(subject.asker, body, seconds=SECONDS)


async def _listed_length(subject: Subject) -> int | None:
    """Return what the server's own list says of the window, None when it says nothing."""
    answer = await subject.asker.get(MODELS_PATH)
    models = read_models(answer.body, subject.engine) if answer.ok else None
    name = subject.declared.served_name
    return next((each.max_model_len for each in models or () if each.id == name), None)
