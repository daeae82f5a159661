"""What is right and what is wrong with a key that somebody pasted, line by line, up to a call that can be tried.

Reads only, and keeps nothing: the text is a function's argument and never part of an answer. Whoever has it could use
the key, so what the router would tell them is told; who owns it is not.
"""

import ipaddress
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.access.enums import ENDPOINT_LABELS, in_words
from federation.access.keys import BRAND, KEY_PATTERN, is_well_formed
from federation.access.models import ApiKey
from federation.access.offer import Usable, first_way, usable_models
from federation.days import long_day
from federation.members.enums import MembershipState
from federation.members.models import Membership
from routing.core.enums import Endpoint
from routing.core.keys import MAX_KEY_LENGTH, digest

SHOWN_MODELS = 12
_PASTED = re.compile(
    r"""["']?(authorization:\s*)?(bearer\s+)?(?P<key>.*?)["']?""", re.IGNORECASE | re.DOTALL
)
"""`static/js/doctor.js` reads a key in the same way."""
SHORT = 16
"""Tokens of the answer that is asked for: enough to see it stream."""


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(NamedTuple):
    verdict: Verdict
    title: str
    text: str


class Call(NamedTuple):
    """A short request that the reader's own browser makes, with the key that only it still has."""

    path: str
    body: str
    model: str


@dataclass
class Examination:
    """`key` is known and in force when it is there; `call` is what can be tried with it."""

    findings: list[Finding] = field(default_factory=list)
    key: ApiKey | None = None
    call: Call | None = None

    def say(self, verdict: Verdict, title: str, text: str = "") -> None:
        self.findings.append(Finding(verdict, title, text))


def examine(pasted: str, address: str) -> Examination:
    """Return what there is to say about a text that should be a key, used from `address`."""
    found, text = Examination(), bare(pasted)
    _look_at_form(found, text)
    key = _known(found, text)
    if key is not None and _is_in_force(found, key):
        found.key = key
        is_allowed = _look_at_address(found, key, address)
        models = usable_models(key)
        _look_at_scopes(found, key)
        _look_at_models(found, models)
        found.call = _call(found, models) if is_allowed else None
    return found


def bare(pasted: str) -> str:
    """Return a key without what is often copied with it: the header’s name, “Bearer”, quotation marks."""
    found = _PASTED.fullmatch(pasted.strip())
    return found["key"] if found else ""


def _look_at_form(found: Examination, text: str) -> None:
    title = _("Is it written as a key?")
    if is_well_formed(text):
        found.say(Verdict.OK, title, _("Yes, and its check digits agree: no character is wrong."))
    elif KEY_PATTERN.fullmatch(text):
        told = _("A character is wrong: the check digits do not agree. Copy the key again, whole.")
        found.say(Verdict.FAILED, title, told)
    elif text.startswith(BRAND):
        told = _(
            "It begins as a key of ours, but something is missing or too much. Copy it again, whole."
        )
        found.say(Verdict.FAILED, title, told)
    else:
        told = _(
            "Not as ours, which begin with %(brand)s_. Keys of other dispatchers may still work."
        )
        found.say(Verdict.WARNING, title, told % {"brand": BRAND})


def _known(found: Examination, text: str) -> ApiKey | None:
    title = _("Is it known?")
    key = None
    if 0 < len(text) <= MAX_KEY_LENGTH:
        seen = ApiKey.objects.select_related("application__institution")
        key = seen.filter(digest=digest(settings.PEPPER.encode(), text)).first()
    if key is None:
        told = _(
            "No. It was never issued here, or it was mistyped: make another one in the portal."
        )
        found.say(Verdict.FAILED, title, told)
    else:
        found.say(Verdict.OK, title, _("Yes."))
    return key


def _is_in_force(found: Examination, key: ApiKey) -> bool:
    title = _("Is it in force?")
    membership = Membership.objects.filter(
        institution=key.application.institution_id, state=MembershipState.APPROVED
    )
    if key.revoked_at is not None:
        told = _("No, it was revoked on %(day)s, for good: make another one.")
        found.say(Verdict.FAILED, title, told % {"day": _day(key.revoked_at)})
    elif key.expires_at is not None and key.expires_at <= timezone.now():
        told = _("No, it expired on %(day)s: make another one.")
        found.say(Verdict.FAILED, title, told % {"day": _day(key.expires_at)})
    elif not membership.exists():
        told = _("No: its institution is not an approved member at present.")
        found.say(Verdict.FAILED, title, told)
    elif key.expires_at is None:
        found.say(Verdict.OK, title, _("Yes, until it is revoked."))
    else:
        told = _("Yes, until %(day)s.") % {"day": _day(key.expires_at)}
        is_replaced = key.successors.usable().exists()
        if is_replaced:
            told += " " + _("It is being replaced: its successor works already.")
        found.say(Verdict.WARNING if is_replaced else Verdict.OK, title, told)
    return found.findings[-1].verdict is not Verdict.FAILED


def _look_at_address(found: Examination, key: ApiKey, address: str) -> bool:
    title = _("May it be used from here?")
    values = {"address": address, "networks": ", ".join(key.networks)}
    if not key.networks:
        found.say(Verdict.OK, title, _("Yes: from anywhere. You come from %(address)s.") % values)
        return True
    asking = ipaddress.ip_address(address)
    if any(asking in ipaddress.ip_network(network) for network in key.networks):
        told = _("Yes: you come from %(address)s, and it may be used from %(networks)s.")
        found.say(Verdict.OK, title, told % values)
        return True
    told = _("No: you come from %(address)s, and it may only be used from %(networks)s.")
    found.say(Verdict.FAILED, title, told % values)
    return False


def _look_at_scopes(found: Examination, key: ApiKey) -> None:
    parts = [_("Class P%(level)s at most.") % {"level": key.priority}]
    parts.append(f"{str(key.get_routing_mode_display()).capitalize()}.")
    if key.endpoints:
        names = ", ".join(str(ENDPOINT_LABELS.get(each, each)) for each in key.endpoints)
        parts.append(_("Interfaces: %(names)s.") % {"names": names})
    if key.labels:
        parts.append(_("Data class: %(labels)s.") % {"labels": in_words(key.labels)})
    found.say(Verdict.OK, _("What may it do?"), " ".join(parts))


def _look_at_models(found: Examination, models: list[Usable]) -> None:
    title = _("Which models can it ask now?")
    if not models:
        told = _(
            "None: no server that this key may use serves a model that it may ask at this moment."
        )
        found.say(Verdict.FAILED, title, told)
        return
    names = [model.slug for model in models[:SHOWN_MODELS]]
    if more := len(models) - len(names):
        names.append(_("%(count)s more") % {"count": more})
    found.say(Verdict.OK, title, ", ".join(names))


def _call(found: Examination, models: list[Usable]) -> Call | None:
    """Return the shortest call that shows whether all works: a stream wherever the key may ask for one."""
    if way := first_way(models, _CALLS):
        model, endpoint = way
        told = json.dumps({"model": model.slug, **_CALLS[endpoint]}, ensure_ascii=False)
        return Call(f"/v1/{endpoint.value}", told, model.slug)
    title = _("Can it be tried here?")
    if first_way(models):
        told = _("Not from this page, which has no sound to send. The key’s own page shows a call.")
        found.say(Verdict.WARNING, title, told)
    elif models:
        told = _(
            "No: none of these models answers by the interfaces that the key is bound to. Change its models "
            "or its interfaces on its page."
        )
        found.say(Verdict.FAILED, title, told)
    return None


def _day(moment: Any) -> str:
    return long_day(timezone.localtime(moment))


_WORD = "Bonjour"
_TALK = [{"role": "user", "content": _WORD}]
_CALLS: dict[Endpoint, dict[str, Any]] = {
    Endpoint.CHAT: {"messages": _TALK, "max_tokens": SHORT, "stream": True},
    Endpoint.RESPONSES: {"input": _WORD, "max_output_tokens": SHORT, "stream": True},
    Endpoint.MESSAGES: {"messages": _TALK, "max_tokens": SHORT, "stream": True},
    Endpoint.COMPLETIONS: {"prompt": _WORD, "max_tokens": SHORT, "stream": True},
    Endpoint.EMBEDDINGS: {"input": [_WORD]},
    Endpoint.RERANK: {"query": _WORD, "documents": [_WORD]},
}
