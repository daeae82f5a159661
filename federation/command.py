"""The base of the operator's commands: English, and one line with exit code 1 for whatever is refused."""

import os
import sys
import unicodedata
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError
from django.utils.translation import override
from psycopg.errors import UndefinedColumn, UndefinedTable, UniqueViolation

UNWRITABLE = frozenset({"Cc", "Cs"})
"""Unicode's control characters, and the surrogates that stand for bytes which are no UTF-8."""


class OperatorCommand(BaseCommand):
    def create_parser(self, prog_name: str, subcommand: str, **arguments: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **arguments)
        if self._called_from_command_line:  # type: ignore[attr-defined]  # a name of Django that its types lack
            parser.error = _refuse_arguments  # type: ignore[method-assign]  # not its whole usage
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Around the handlers, too: the texts of a refusal are translated when they are read.
        with override(None):
            check_texts(options)
            try:
                return super().execute(*args, **options)
            except ValidationError as refusal:
                raise CommandError(one_line(refusal)) from None
            except DatabaseError as fault:
                raise explained(fault) from None
            except ImproperlyConfigured as fault:
                raise CommandError(str(fault)) from None
            except BrokenPipeError:
                # Whoever reads has enough, as `head` has; Python would complain once more at its end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(1)


def _refuse_arguments(message: str) -> NoReturn:
    sys.stderr.write(f"{message[:1].upper()}{message[1:]} (--help tells what it takes)\n")
    sys.exit(1)


def explained(fault: DatabaseError) -> Exception:
    """Return what to tell the operator of a database's error; the error itself when it is our mistake."""
    cause = fault.__cause__
    if isinstance(fault, OperationalError):
        return CommandError(f"The database does not answer: {str(fault).strip().splitlines()[0]}")
    if isinstance(cause, UndefinedTable | UndefinedColumn):
        return CommandError("The tables are not those of this version: run manage.py migrate")
    if isinstance(cause, UniqueViolation):
        return CommandError("Somebody else wrote the same at this moment: look, and run it again")
    return fault


def check_texts(options: dict[str, Any]) -> None:
    """Raise `CommandError` on a text that the database cannot hold, or that would break a line."""
    for name, value in options.items():
        if isinstance(value, str) and not UNWRITABLE.isdisjoint(map(unicodedata.category, value)):
            raise CommandError(
                f"--{name.replace('_', '-')} holds a character that is none to print"
            )


def one_line(refusal: ValidationError) -> str:
    """Return every message of `refusal` on one line, after its field where there is one."""
    if not hasattr(refusal, "error_dict"):
        return " ".join(refusal.messages)
    parts = [
        " ".join(messages) if field == "__all__" else f"{field}: {' '.join(messages)}"
        for field, messages in refusal.message_dict.items()
    ]
    return " ".join(parts)
