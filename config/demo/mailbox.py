"""The e-mails that this copy has sent, read from the folder into which they are written."""

import email
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

SEPARATOR = b"-" * 79
"""Between the e-mails of one file, as Django's file-based backend writes it."""
MOST = 50
MOST_BYTES = 200_000


class Mail(NamedTuple):
    to: str
    subject: str
    sent_at: datetime | None
    text: str


def latest(folder: Path) -> list[Mail]:
    """Return the latest e-mails, the newest first."""
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    mails: list[Mail] = []
    for path in files[:MOST]:
        mails += reversed(list(_in(path)))
    return mails[:MOST]


def _in(path: Path) -> Iterator[Mail]:
    for part in path.read_bytes()[:MOST_BYTES].split(SEPARATOR):
        if part.strip():
            message = email.message_from_bytes(part.lstrip(), policy=default)
            yield _read(message)


def _read(message: EmailMessage) -> Mail:
    body = message.get_body(("plain",))
    sent = str(message["Date"] or "")
    return Mail(
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        sent_at=_moment(sent) if sent else None,
        text=str(body.get_content()).strip() if body else "",
    )


def _moment(sent: str) -> datetime:
    """Read a date of an e-mail: one “-0000”, as Django writes it, is UTC and would be of no zone."""
    moment = parsedate_to_datetime(sent)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
