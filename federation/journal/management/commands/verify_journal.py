"""`manage.py verify_journal`: reads the whole journal and says whether its chain is unbroken."""

from typing import Any

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.journal.chain import BrokenChainError, verify
from federation.journal.models import AuditEvent
from federation.journal.queries import check_not_emptied


class Command(OperatorCommand):
    help = (
        "Check that no event of the journal was changed, removed or inserted. Prints the number of "
        "events and the last hash: noted elsewhere, it shows later that none was cut off at the end."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_not_emptied()
            count, head = verify(AuditEvent.objects.order_by("seq").iterator(chunk_size=2000))
        except BrokenChainError as fault:
            raise CommandError(f"The journal is not whole: {fault}") from None
        self.stdout.write(f"The journal is whole: {count} events, last hash {head}")
