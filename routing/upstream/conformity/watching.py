"""What helps to share requests out well: the engine's metrics, and answers like those of its peers."""

from difflib import SequenceMatcher

from routing.core.conformity import Finding
from routing.upstream.conformity.asking import Asker, Outcome, ok, skipped, warning
from routing.upstream.conformity.chatting import ask, conversation
from routing.upstream.conformity.subject import Subject
from routing.upstream.metrics import read_load

METRICS_SECONDS = 5.0
PROMPTS = (
    "Complète : la capitale de la Bretagne est",
    "Write the numbers from one to ten in words.",
    "Donne la formule chimique de l’eau, puis celle du sel de cuisine.",
)
ALIKE = 0.6
"""From which share of common text on two answers count as alike; quantisation and batching change words."""
MOST_PEERS = 2


async def metrics(subject: Subject) -> Outcome:
    """Without them the router learns from its own streams: a pity, no fault."""
    if not subject.engine.has_metrics:
        return skipped(Finding.NOT_KNOWN_OF_ENGINE)
    answer = await subject.asker.get("/metrics", seconds=METRICS_SECONDS)
    load = read_load(answer.body.decode(errors="replace")) if answer.ok else None
    if load is None:
        return warning(Finding.METRICS_UNREADABLE, status=answer.status)
    return ok(Finding.METRICS_READ, running=load.running, waiting=load.waiting)


async def peers(subject: Subject) -> Outcome:
    """At temperature 0 the same model says much the same everywhere: a warning when it does not, no verdict."""
    askers = [
        (asker, peer.served_name)
        for peer in subject.job.peers[:MOST_PEERS]
        if (asker := subject.peer(peer)) is not None
    ]
    if not askers:
        return skipped(Finding.NO_PEER)
    likeness = []
    for prompt in PROMPTS:
        own = await _text(subject.asker, subject.declared.served_name, prompt)
        others = [await _text(asker, name, prompt) for asker, name in askers]
        likeness += [_likeness(own, other) for other in others if other is not None]
    if not likeness:
        return skipped(Finding.PEER_SILENT)
    share = round(100 * sum(likeness) / len(likeness))
    judged = ok if share >= 100 * ALIKE else warning
    finding = Finding.ALIKE if share >= 100 * ALIKE else Finding.UNALIKE
    return judged(finding, percent=share, peers=len(askers))


async def _text(asker: Asker, served_name: str, prompt: str) -> str | None:
    said = await ask(asker, conversation(served_name, prompt, temperature=0))
    return None if isinstance(said, Outcome) else said.text


def _likeness(one: str | None, other: str) -> float:
    return SequenceMatcher(None, one or "", other, autojunk=False).ratio()
