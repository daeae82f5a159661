"""The books: whoever stores requests shares them, whoever closes, corrects, grants or forgets has them alone."""

from django.db import connection

_LOCK = 0x626F6F6B
"""Advisory lock ("book")."""


def share_the_books() -> None:
    """Until the transaction ends, nobody has them alone: no month is closed, no year settled; many share them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])


def hold_the_books() -> None:
    """Until the transaction ends, nobody else books anything: batches of requests wait, and corrections.

    Taken before any of the sums is touched, and never by who shares them already: two such would wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
