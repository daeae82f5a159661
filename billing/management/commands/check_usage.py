"""`manage.py check_usage`: whether the accounts hold together. The clerk looks once a day at the last days."""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.periods import last_days
from billing.records.checks import findings
from federation.command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Look for usage records that name something unknown, for rows outside every month's partition, for sums that "
        "are not their records', and, with all requests, for a ledger that is not what they cost, measured energy "
        "that is not shared out whole, and invoices that are not what their documents say."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=_days,
            default=None,
            help="only the requests of so many days (default: all)",
        )

    def handle(self, *args: Any, days: int | None, **options: Any) -> None:
        found = findings(last_days(days) if days else None)
        for finding in found:
            self.stderr.write(finding)
        if found:
            raise CommandError(f"{len(found)} findings")
        self.stdout.write("The accounts hold together.")


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= days <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return days
