"""What follows a name, or stands in for a model, is decided one at a time.

Two people could otherwise choose, at the same moment, models that lead to each other or to one that leaves.
"""

from django.db import connection

LOCK = 4_805_902
"""Any number that no other advisory lock of the product uses."""


def one_at_a_time() -> None:
    """Wait for the others, and hold them up until the transaction ends.

    Before any row is locked: nobody then waits in a ring.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
