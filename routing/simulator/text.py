"""What simulated models say: believable French or English, JSON that follows a schema, tool arguments.

The same request always gets the same answer, and never its own words back. Text is a tuple of tokens,
each the few characters that one streamed chunk carries.
"""

import json
import random
import re
import unicodedata
from typing import Any

import msgspec

from routing.simulator.schema import sample

# Natural length of an answer, in tokens.
SHORTEST, TYPICAL, LONGEST = 32, 120, 600
# Bytes of UTF-8 text per token, about what tokenizers reach on French and English.
BYTES_PER_TOKEN = 4

FRENCH = (
    (
        "Le réseau des universités",
        "Le centre de données",
        "Chaque établissement",
        "La fédération",
    ),
    ("mutualise", "propose", "mesure", "prépare", "améliore", "répartit", "documente"),
    ("la puissance de calcul", "un service ouvert", "les modèles de langue", "une réponse claire"),
    (
        "pour la recherche",
        "avec les équipes locales",
        "selon les besoins",
        "dès cette année",
        "sans surcoût",
    ),
)
ENGLISH = (
    ("The university network", "The data centre", "Each institution", "The federation"),
    ("shares", "offers", "measures", "prepares", "improves", "balances", "documents"),
    ("its computing power", "an open service", "the language models", "a clear answer"),
    (
        "for research",
        "with the local teams",
        "as needs arise",
        "from this year on",
        "at no extra cost",
    ),
)
_FRENCH_SIGNS = re.compile(
    r"[àâçéèêîôûœ]|\b(le|la|les|des|une|est|quel|quelle|bonjour|merci)\b", re.IGNORECASE
)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, whichever dialect it came in. Lengths in tokens."""

    prompts: tuple[int, ...]
    # Decides the answer, together with the server's seed; never shown.
    fingerprint: str
    last_words: str = ""
    n: int = 1
    max_tokens: int | None = None
    min_tokens: int = 0
    # The tools that may be called, as {"name", "parameters"}; `forced` if one must be.
    tools: tuple[dict[str, Any], ...] = ()
    forced: bool = False
    # The JSON schema that the answer must follow; {} for any object; None for prose.
    schema: dict[str, Any] | None = None


class Script(msgspec.Struct, frozen=True):
    """One answer: its tokens, why it ends there, and the tool it calls, if it calls one."""

    tokens: tuple[str, ...]
    finish: str
    tool: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def compose(ask: Ask, seed: int, room: int) -> tuple[Script, ...]:
    """The answers to `ask`: `n` for each prompt. `room` is what the context window leaves, in tokens."""
    limit = min(room, ask.max_tokens if ask.max_tokens is not None else room)
    return tuple(
        _script(ask, random.Random(f"{seed}/{ask.fingerprint}/{index}"), limit)
        for index in range(ask.n * len(ask.prompts))
    )


def count_tokens(text: str) -> int:
    return max(1, -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN))


def is_french(text: str) -> bool:
    return _FRENCH_SIGNS.search(text) is not None


def _script(ask: Ask, rng: random.Random, limit: int) -> Script:
    tool = _tool_called(ask)
    if tool is not None:
        arguments = json.dumps(sample(tool.get("parameters") or {}, rng), ensure_ascii=False)
        return _cut(pieces(arguments), limit, "tool_calls", str(tool["name"]))
    if ask.schema is not None:
        return _cut(pieces(json.dumps(sample(ask.schema, rng), ensure_ascii=False)), limit, "stop")
    wanted = max(
        ask.min_tokens, min(LONGEST, max(SHORTEST, round(rng.lognormvariate(0, 0.6) * TYPICAL)))
    )
    return _cut(_prose(rng, is_french(ask.last_words), min(wanted, limit + 1)), limit, "stop")


def _cut(tokens: list[str], limit: int, finish: str, tool: str | None = None) -> Script:
    if len(tokens) > limit:
        return Script(tuple(tokens[:limit]), "length", tool)
    return Script(tuple(tokens), finish, tool)


def _tool_called(ask: Ask) -> dict[str, Any] | None:
    """The first tool if one is forced, else the first whose name has a word of the last message in it."""
    if ask.forced and ask.tools:
        return ask.tools[0]
    words = set(_words(ask.last_words))
    return next((tool for tool in ask.tools if words.intersection(_words(str(tool["name"])))), None)


def _words(text: str) -> list[str]:
    """Words of four letters and more, without case and accents; `get_weather` has two, one of them long enough."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z]{4,}", plain)


def _prose(rng: random.Random, french: bool, wanted: int) -> list[str]:
    stock = FRENCH if french else ENGLISH
    tokens: list[str] = []
    while len(tokens) < wanted:
        sentence = " ".join(rng.choice(part) for part in stock) + "."
        tokens += pieces(sentence if not tokens else f" {sentence}")
    return tokens[:wanted]


def pieces(text: str) -> list[str]:
    """Text cut into tokens: a space goes with the word after it, long words fall into two."""
    return re.findall(r"\s?\w{1,7}|\s?[^\w\s]+|\s+", text)
