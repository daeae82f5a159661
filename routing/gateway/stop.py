"""`python -m routing.gateway.stop`: stop a key, an institution, a model or a server at once, and lift it again.

Works on the data folder alone (`VAR`): with the database down, and with the router down. It knows names by the
table that the router keeps there.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from routing.core.keys import digest
from routing.core.stops import Stop, Stopped
from routing.core.table import Table
from routing.gateway.gateway import TABLE
from routing.gateway.settings import SettingsError, read_secret
from routing.gateway.snapshot import load_table
from routing.gateway.stops import FILE, alone, is_same, read_stops, write_stops

STANDARD_INPUT = "-"


class Unknown(Exception):
    """What was named cannot be found; the text says so in one line."""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Stop, lift or list. Exits with a line that says what is wrong."""
    given = _parser().parse_args(arguments)
    var = Path(environ.get("VAR") or "var").absolute()
    try:
        if given.what is None:
            _tell(read_stops(var / FILE))
            return
        stop = _named(Stopped(given.what), given.which, given.why, var, environ)
        with alone(var / FILE):
            before = read_stops(var / FILE)
            others = [each for each in before if not is_same(each, stop)]
            if given.lift and len(others) == len(before):
                raise Unknown(f"{stop.what.value} {stop.name} ({stop.id}) is not stopped")
            write_stops(var / FILE, others if given.lift else [*others, stop])
    except (Unknown, SettingsError) as error:
        sys.exit(str(error))
    except (OSError, ValueError) as error:
        sys.exit(f"{var / FILE}: {error}")
    verb = "is lifted" if given.lift else "is stopped"
    sys.stdout.write(f"{stop.what.value} {stop.name} ({stop.id}) {verb}, within a second\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m routing.gateway.stop",
        description="Stop at once what must not go on, without the database. Without arguments: list.",
    )
    parser.add_argument("what", nargs="?", choices=[what.value for what in Stopped])
    parser.add_argument(
        "which",
        nargs="?",
        help="its id; a model's or a server's name; an institution's short identifier; "
        "for a key also `-`: its text is read from standard input",
    )
    parser.add_argument("--why", default="", help="for those who read the list later")
    parser.add_argument("--lift", action="store_true", help="let it go on")
    return parser


def _named(
    what: Stopped, which: str | None, why: str, var: Path, environ: Mapping[str, str]
) -> Stop:
    if not which:
        raise Unknown(f"Say which {what.value}")
    if not why.isprintable():
        raise Unknown("--why takes one line of printable characters")
    table = load_table(var / TABLE)
    if what is Stopped.KEY and which == STANDARD_INPUT:
        found, name = _key_with_text(table, sys.stdin.readline().strip(), var, environ)
    else:
        found, name = _find(what, which, table)
    return Stop(what=what, id=found, name=name, why=why, since=time.time())


def _find(what: Stopped, which: str, table: Table) -> tuple[str, str]:
    """Return the id and the name of what is named. An id is taken even if the table does not know it."""
    known = _known(what, table)
    matching = [(key, name) for key, name in known.items() if which in (key, name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise Unknown(f"Several are called “{which}”: {', '.join(key for key, _ in matching)}")
    try:
        return str(UUID(which)), str(UUID(which))
    except ValueError:
        names = "; ".join(sorted(known.values())) or "none"  # a server's name may hold commas
        raise Unknown(f"There is no {what.value} “{which[:80]}” (known: {names})") from None


def _known(what: Stopped, table: Table) -> dict[str, str]:
    """Return names by id, as far as the table knows them. Keys have none there."""
    match what:
        case Stopped.KEY:
            return {}
        case Stopped.INSTITUTION:
            return {key: slug for slug, key in table.principals.institutions.items()}
        case Stopped.MODEL:
            return {key: model.name for key, model in table.names.names.models.items()}
        case Stopped.SERVER:
            return {key: server.name for key, server in table.servers.servers.items()}


def _key_with_text(
    table: Table, text: str, var: Path, environ: Mapping[str, str]
) -> tuple[str, str]:
    pepper = read_secret(environ, "PEPPER", var).encode()
    principal = table.principals.by_digest.get(digest(pepper, text))
    if principal is None:
        raise Unknown("This is no key that the router accepts")
    return principal.key_id, principal.key_id


def _tell(stops: Sequence[Stop]) -> None:
    for stop in stops:
        since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(stop.since))
        sys.stdout.write(f"{stop.what.value}\t{stop.name}\t{stop.id}\t{since}\t{stop.why}\n")
    if not stops:
        sys.stdout.write("Nothing is stopped.\n")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
