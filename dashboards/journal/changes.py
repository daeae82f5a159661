"""What an act has changed, in words: each field with its value, or what it was and what it became."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from dashboards.journal.names import Named, Reference, kind_of
from federation.days import short_day, short_moment
from federation.fleet.enums import Days
from federation.journal.models import AuditEvent
from federation.people.enums import Role

Text = str | Promise

LABELS: Mapping[str, Text] = {
    "abstain": gettext_lazy("abstentions"),
    "application": gettext_lazy("application"),
    "certificates": gettext_lazy("certificates"),
    "changed": gettext_lazy("changed fields"),
    "choice": gettext_lazy("vote"),
    "contacts": gettext_lazy("contacts"),
    "days": gettext_lazy("days"),
    "end": pgettext_lazy("hours", "to"),
    "ended": gettext_lazy("ended"),
    "expires": gettext_lazy("expires"),
    "fields": gettext_lazy("changed fields"),
    "grant": gettext_lazy("role given"),
    "institution": gettext_lazy("institution"),
    "is_lead": gettext_lazy("leads the team"),
    "key": gettext_lazy("new access key"),
    "kinds": gettext_lazy("second factors"),
    "model": gettext_lazy("model"),
    "most": gettext_lazy("at most"),
    "no": pgettext_lazy("votes", "against"),
    "number": gettext_lazy("version"),
    "owner": gettext_lazy("owner"),
    "place": gettext_lazy("place in the team"),
    "pue": pgettext_lazy("of a site", "PUE"),
    "requests": gettext_lazy("requests"),
    "revoked": gettext_lazy("revoked"),
    "role": gettext_lazy("role"),
    "server": gettext_lazy("server"),
    "sha256": gettext_lazy("digest of the file"),
    "start": pgettext_lazy("hours", "from"),
    "subject": gettext_lazy("subject"),
    "successor": gettext_lazy("successor"),
    "team": gettext_lazy("team"),
    "url": gettext_lazy("address"),
    "version": gettext_lazy("version"),
    "yes": pgettext_lazy("votes", "for"),
}
"""Of fields that the object's own table does not name."""
LISTS = frozenset(
    {"models", "endpoints", "labels", "networks", "tells", "capabilities", "languages", "fields"}
    | {"changed", "hours", "blocked_institutions", "blocked_models", "kinds", "ports"}
)
"""Fields that hold several values: of these, two values are not a before and an after."""
FIELD_NAMES = frozenset({"fields", "changed"})
"""Fields whose values are themselves names of the object's fields."""
CLASSES = frozenset({"priority", "lowest_class", "protected_class"})
LENGTHS = frozenset(
    {"display_name", "description_fr", "description_en", "publisher", "publisher_url"}
    | {"licence", "licence_url"}
)
"""Of texts that anybody may have typed, the journal keeps how long they are."""
COUNTS = frozenset({"networks", "origins"})
"""Of a key's addresses the journal keeps how many there are."""
FACTORS: Mapping[str, Text] = {
    "recovery_codes": gettext_lazy("recovery codes"),
    "totp": gettext_lazy("authenticator app"),
    "webauthn": gettext_lazy("passkey"),
}
AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHORT_ID = 8
"""The end of an identifier: its beginning is the time, the same for all that was made together."""


class Change(NamedTuple):
    """`before` is None where the event tells a value alone."""

    label: str
    before: str | None
    after: str


def changes(event: AuditEvent, names: Mapping[Reference, Named]) -> list[Change]:
    teller = _Teller(event.object_type, names)
    told = ((name, value) for name, value in event.diff.items() if value not in (None, "", []))
    return [teller.change(name, value) for name, value in told]


def references(event: AuditEvent) -> Iterator[Reference]:
    """Yield what an event names: its object, and the ids in its change."""
    yield event.object_type, event.object_id
    for field, value in event.diff.items():
        if kind := kind_of(event.object_type, field):
            for each in value if isinstance(value, list) else [value]:
                yield kind, str(each)


def is_before_and_after(name: str, value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return name not in LISTS or all(isinstance(each, list) for each in value)


class _Teller:
    """Puts the fields of one kind of object into words."""

    def __init__(self, object_type: str, names: Mapping[Reference, Named]) -> None:
        self._object_type, self._names = object_type, names

    def change(self, name: str, value: Any) -> Change:
        label = self._label(name)
        if is_before_and_after(name, value):
            before, after = value
            return Change(label, self._told(name, before), self._told(name, after))
        return Change(label, None, self._told(name, value))

    def _label(self, name: str) -> str:
        """Return what the object's table or `LABELS` calls a field; a table without a word names it by itself."""
        field, plain = self._field(name), name.replace("_", " ")
        named = str(field.verbose_name) if field is not None else plain
        return named if named != plain else str(LABELS.get(name, plain))

    def _field(self, name: str) -> "Field[Any, Any] | None":
        try:
            field = apps.get_model(self._object_type)._meta.get_field(name)
        except (LookupError, ValueError, FieldDoesNotExist):
            return None
        return field if isinstance(field, Field) else None

    def _told(self, name: str, value: Any) -> str:
        match value:
            case None | "" | []:
                return "–"
            case bool():
                return pgettext("answer", "yes") if value else pgettext("answer", "no")
            case int() | float():
                return _number(name, value)
            case list():
                return ", ".join(self._told(name, each) for each in value)
            case dict():
                return ", ".join(
                    f"{self._label(key)} {self._told(key, each)}" for key, each in value.items()
                )
        return self._word(name, str(value))

    def _word(self, name: str, value: str) -> str:
        if kind := kind_of(self._object_type, name):
            named = self._names.get((kind, value))
            return named.text if named else value[-SHORT_ID:]
        if name in FIELD_NAMES:
            return self._label(value)
        if name == "role" and value in Role.values:
            return str(Role(value).label)
        if name == "days" and value in Days.values:
            return str(Days(value).label)
        if name in ("kind", "kinds") and value in FACTORS:
            return str(FACTORS[value])
        if AN_ID.fullmatch(value):
            return value[-SHORT_ID:]
        if told := _when(value):
            return told
        field = self._field(name)
        inner = getattr(field, "base_field", field)
        known = dict(inner.flatchoices) if inner is not None else {}
        return str(known.get(value, value))


def _number(name: str, value: float) -> str:
    if name in COUNTS and value == 0:
        return "–"
    if name in ("port", "ports"):
        return str(value)
    if name in CLASSES:
        return f"P{value}"
    told = number_format(value, force_grouping=True)
    return _("%(count)s characters") % {"count": told} if name in LENGTHS else told


def _when(text: str) -> str:
    """Return a moment or a day in words; empty when `text` is neither."""
    try:
        if "T" in text:
            moment = parse_datetime(text)
            return short_moment(moment) if moment and timezone.is_aware(moment) else ""
        day = parse_date(text) if text.count("-") == 2 else None
    except ValueError:
        return ""
    return short_day(day) if day else ""
