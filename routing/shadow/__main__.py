"""`python -m routing.shadow OLD NEW`: asks both and tells what differs. docs/cut-over.md says when to use it.

Keys come from OLD_KEY and NEW_KEY in the environment, or from files: never from the command line.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from routing.shadow.asking import Observation, Side, address, make_client, observe
from routing.shadow.cases import Case, CaseError, built_in, read_cases
from routing.shadow.comparing import Difference, Kind, compare
from routing.shadow.report import Result, count, to_json, to_table

ALIKE, DIFFERENT, WRONG = 0, 1, 2
"""Exit codes: nothing to look at, something to look at, the comparison could not be made."""


class ShadowError(Exception):
    """The comparison cannot be made; the text says why, in one line."""


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m routing.shadow", description="Ask two entry points the same and compare."
    )
    parser.add_argument("old", help="address of the entry point in use, with or without /v1")
    parser.add_argument("new", help="address of this one")
    parser.add_argument("--model", action="append", help="ask for this model; may be repeated")
    parser.add_argument("--requests", type=Path, help="JSON lines of bodies to send instead")
    parser.add_argument(
        "--repeat", type=int, default=1, help="ask each so often; times are medians"
    )
    parser.add_argument("--json", type=Path, help="write the comparison into this file, too")
    parser.add_argument("--old-key-file", type=Path, help="holds the key; else OLD_KEY does")
    parser.add_argument(
        "--new-key-file", type=Path, help="holds the key; else NEW_KEY, else OLD_KEY"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of silence before giving up")
    return parser.parse_args(words)


def read_key(path: Path | None, environ: Mapping[str, str], *names: str) -> str:
    """Return a key. Raises `ShadowError` when it is nowhere."""
    if path is not None:
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ShadowError(f"{path} cannot be read: {error}") from None
    key = next((environ[name].strip() for name in names if environ.get(name, "").strip()), "")
    if not key:
        raise ShadowError(f"{names[0]} is not set, and no file of a key is named")
    return key


def common_model(client: httpx.Client, old: Side, new: Side) -> str:
    """Return the first model of the old entry point that the new one has, too."""
    models = Case(name="models", path="/v1/models")
    seen = [observe(client, side, models) for side in (old, new)]
    for side, each in zip((old, new), seen, strict=True):
        if each.status != 200:
            reason = each.failure or f"{each.status} {each.message}".strip()
            raise ShadowError(f"{side.url} does not list its models: {reason}")
    common = seen[0].values.get("data[].id", set()) & seen[1].values.get("data[].id", set())
    if not common:
        raise ShadowError("The two have no model in common: name one with --model")
    return min(common)


def ask_both(client: httpx.Client, old: Side, new: Side, case: Case, repeat: int) -> Result:
    """Ask one after the other, so that neither's servers are busy with the other's request; who begins, changes."""
    seen: tuple[list[Observation], list[Observation]] = ([], [])
    found: dict[Difference, None] = {}
    for turn in range(repeat):
        order = [(old, seen[0]), (new, seen[1])]
        for side, into in order if turn % 2 == 0 else reversed(order):
            into.append(observe(client, side, case))
        found |= dict.fromkeys(compare(case, seen[0][-1], seen[1][-1]))
    return Result(case.name, *seen, list(found))


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    old = Side(address(arguments.old), read_key(arguments.old_key_file, environ, "OLD_KEY"))
    new_key = read_key(arguments.new_key_file, environ, "NEW_KEY", "OLD_KEY")
    new = Side(address(arguments.new), new_key)
    with make_client(arguments.seconds) as client:
        if arguments.requests:
            cases = read_cases(arguments.requests)
        else:
            models = arguments.model or [common_model(client, old, new)]
            cases = [case for model in models for case in built_in(model)]
        results = [ask_both(client, old, new, case, max(1, arguments.repeat)) for case in cases]
    if arguments.json:
        arguments.json.write_bytes(to_json(results))
    sys.stdout.write("\n".join(to_table(results)) + "\n")
    return DIFFERENT if count(results, Kind.OPEN) else ALIKE


def main(words: Sequence[str]) -> int:
    try:
        return run(read_arguments(words), os.environ)
    except (ShadowError, CaseError) as error:
        sys.stderr.write(f"{error}\n")
    except (OSError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        return 130
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
