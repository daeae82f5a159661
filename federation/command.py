"""The base of the operator's commands: English, and one line with exit code 1 for whatever is refused."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils.translation import override


class OperatorCommand(BaseCommand):
    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with override(None):
                return super().execute(*args, **options)
        except ValidationError as refusal:
            raise CommandError(one_line(refusal)) from None
        except OperationalError as fault:
            reason = str(fault).strip().splitlines()[0]
            raise CommandError(f"The database does not answer: {reason}") from None


def one_line(refusal: ValidationError) -> str:
    """Return every message of `refusal` on one line, after its field where there is one."""
    if not hasattr(refusal, "error_dict"):
        return " ".join(refusal.messages)
    parts = [
        " ".join(messages) if field == "__all__" else f"{field}: {' '.join(messages)}"
        for field, messages in refusal.message_dict.items()
    ]
    return " ".join(parts)
