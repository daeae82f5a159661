"""`manage.py clerk`: the clerk's process. The launcher starts it; a second one waits for the first to end."""

import asyncio
from typing import Any

from django.core.management.base import BaseCommand

from routing.bridge.clerk import run_clerk


class Command(BaseCommand):
    help = "Publish the register to the router, and store the usage that it writes down."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(run_clerk())
