"""What is shown when all runs: where to look, who may log in, what to paste, how to stop."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from config.launch.console import LaunchError, bold, say
from config.launch.environment import Place

QUESTION = "Bonjour, qui es-tu ?"


def read_demo(place: Place) -> Mapping[str, Any]:
    """Return what `manage.py demo` left in `VAR/demo.json`: accounts, keys, models, servers."""
    try:
        demo: Mapping[str, Any] = json.loads((place.var / "demo.json").read_text())
    except (OSError, ValueError) as error:
        raise LaunchError(f"{place.var}/demo.json cannot be read: {error}") from None
    return demo


def show_demo(place: Place, demo: Mapping[str, Any]) -> None:
    say()
    say(bold(f"  ILaaS runs at {place.address}"))
    say()
    say("  Sign in as")
    for account in demo["accounts"].values():
        say(f"    {account['email']:<36} password {account['password']}")
        if secret := account.get("totp_secret"):
            say(f"    {'':<36} one-time codes from the secret {secret}")
    say(f"  No app for one-time codes at hand? {place.address}/demo/codes/ shows them")
    say()
    say("  Ask with the key " + bold(first_key(demo)))
    say("    " + curl(place, demo))
    say()
    say(f"  All accounts, keys, models and servers: {place.var / 'demo.json'}")
    show_end(place)


def show_serve(place: Place, first_link: str, *, mail: bool = False) -> None:
    say()
    say(bold(f"  ILaaS runs at {place.address}"))
    if mail:
        say(f"  E-mails stay here, for everybody to read: {place.address}/demo/mail/")
    if first_link:
        say()
        say("  There is no administrator yet; this link makes the first one, once:")
        say("    " + bold(first_link))
    show_end(place)


def show_end(place: Place) -> None:
    say(f"  Logs: {place.var / 'log'}    Stop: Ctrl-C")
    say()


def first_key(demo: Mapping[str, Any]) -> str:
    keys: Mapping[str, str] = demo["keys"]
    return next(iter(keys.values()))


def curl(place: Place, demo: Mapping[str, Any]) -> str:
    """Return a command that asks the first model, fit to be pasted into any shell."""
    body = {"model": model_name(demo), "messages": [{"role": "user", "content": QUESTION}]}
    words = ["curl", f"{place.address}/v1/chat/completions"]
    words += [
        "-H",
        f"Authorization: Bearer {first_key(demo)}",
        "-H",
        "Content-Type: application/json",
    ]
    return shlex.join([*words, "-d", json.dumps(body, ensure_ascii=False)])


def model_name(demo: Mapping[str, Any]) -> str:
    """Return the first model's public name; the list may hold names, or objects that have one."""
    first = demo["models"][0]
    return first if isinstance(first, str) else str(first.get("name") or first["slug"])
