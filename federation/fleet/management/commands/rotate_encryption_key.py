"""`manage.py rotate_encryption_key`: another key for what is sealed, in three steps; docs/operations.md has them."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.fleet import keyfile
from federation.fleet.operations.rotation import Survey, reseal_everything, survey
from federation.journal.actors import CommandActor

BY = CommandActor("rotate_encryption_key")


class Command(OperatorCommand):
    help = (
        "Seal everything anew with the first key of ENCRYPTION_KEY, so that the others may go. "
        "First --add-key and a restart; at the end --drop-old-keys and a restart. Safe to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        step = parser.add_mutually_exclusive_group()
        step.add_argument(
            "--add-key", action="store_true", help="put a new key in front of the list"
        )
        step.add_argument(
            "--dry-run", action="store_true", help="say what is sealed with which key"
        )
        step.add_argument(
            "--drop-old-keys", action="store_true", help="keep the first key alone, if it opens all"
        )
        parser.add_argument(
            "--give-up-lost",
            action="store_true",
            help="go on though some rows open with no key; they stay as they are, and stay lost",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["add_key"]:
            self._add_key()
            return
        found = survey()
        self._tell(found)
        if options["dry_run"]:
            return
        if found.lost and not options["give_up_lost"]:
            raise CommandError(
                "Nothing was changed: put the key of the rows above back into ENCRYPTION_KEY, at its "
                "end, or give them up with --give-up-lost"
            )
        if options["drop_old_keys"]:
            self._drop(found)
        else:
            self._reseal()

    def _tell(self, found: Survey) -> None:
        for name in sorted(found.current | found.older):
            current, older = found.current[name], found.older[name]
            self.stdout.write(
                f"{name}: {current} sealed with the first key, {older} with an older one"
            )
        for name, row in found.lost:
            self.stdout.write(f"{name}: {row} opens with no key")

    def _reseal(self) -> None:
        if keyfile.router_knows_first_key() is False:
            raise CommandError(
                "Nothing was changed: the router has not read the first key yet, and would lose the "
                "servers' access keys. Restart the product, then run this again"
            )
        done = reseal_everything(by=BY)
        for name, rows in sorted(done.items()):
            self.stdout.write(f"{name}: {rows} sealed anew")
        if left := survey().older.total():
            raise CommandError(
                f"{left} rows were written meanwhile with an older key: run this again"
            )
        if len(keyfile.parts_of(settings.ENCRYPTION_KEY)) == 1:
            self.stdout.write("There is one key only, and it opens everything")
        else:
            self.stdout.write("The first key opens everything: the others may go (--drop-old-keys)")

    def _add_key(self) -> None:
        keys = keyfile.with_new_key(settings.ENCRYPTION_KEY)
        if keyfile.is_in_environment():
            self.stderr.write(
                "ENCRYPTION_KEY comes from the environment: put this and a comma in front of its "
                "value, for all processes, and restart them:"
            )
            self.stdout.write(keyfile.parts_of(keys)[0])
            return
        self._write(keys)
        self.stdout.write(
            f"{keyfile.path()} has a new first key: restart the product, then run this"
        )

    def _drop(self, found: Survey) -> None:
        if found.older:
            raise CommandError(
                "Older keys are still needed: run this without --drop-old-keys first"
            )
        if keyfile.is_in_environment():
            self.stdout.write(
                "ENCRYPTION_KEY comes from the environment: take all but its first key out, and restart"
            )
            return
        self._write(keyfile.parts_of(settings.ENCRYPTION_KEY)[0])
        self.stdout.write(f"{keyfile.path()} has one key left: restart the product")

    def _write(self, keys: str) -> None:
        try:
            keyfile.write(keys)
        except OSError as error:
            raise CommandError(f"{keyfile.path()} cannot be written: {error.strerror}") from None
