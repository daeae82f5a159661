"""What was used of the limits, on disk: a router that starts goes on with the minutes and days of the last one.

Ids and numbers only. What is lost when it is killed is what was used since the last save.
"""

import asyncio
import logging
import time
from pathlib import Path

import msgspec

from routing.core.limits import Counts
from routing.dispatch.local import LocalDispatcher
from routing.gateway.snapshot import write_whole

FILE = "limits.msgpack"  # in VAR
SAVE_SECONDS = 5.0
logger = logging.getLogger(__name__)


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is in Unix seconds; ages in `counts` are of that moment."""

    at: float
    counts: Counts


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode


def load_counts(var: Path) -> Counts:
    """Return what was saved, as old as it is now; nothing, where it cannot be read."""
    try:
        saved = _decode((var / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.error("what was used of the limits cannot be read, counting starts anew: %s", error)
        return {}
    older = max(0.0, time.time() - saved.at)
    return {
        owner: {
            measure: [(age + older, size) for age, size in parts]
            for measure, parts in measures.items()
        }
        for owner, measures in saved.counts.items()
    }


async def keep_counts(dispatcher: LocalDispatcher, var: Path) -> None:
    """Save every few seconds, as long as anything is limited, until cancelled."""
    while True:
        await asyncio.sleep(SAVE_SECONDS)
        if counts := dispatcher.counts():
            await asyncio.to_thread(_save, var, counts)


def save_counts(dispatcher: LocalDispatcher, var: Path) -> None:
    """Save at the end of the process."""
    if counts := dispatcher.counts():
        _save(var, counts)


def _save(var: Path, counts: Counts) -> None:
    try:
        write_whole(var / FILE, _encode(Saved(at=time.time(), counts=counts)))
    except OSError as error:
        logger.error("what was used of the limits cannot be saved: %s", error.strerror)
