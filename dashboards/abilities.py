"""What a model can really do, in words: what was tested, on how many of its servers, when, and how fast. No query.

Only what a check has found counts as tested; what the catalogue declares and no check has seen is said to be just that.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from dashboards.findings import Found, Standing
from federation.catalogue.enums import Capability
from federation.days import short_day
from routing.core.conformity import Check, Finding

CHECKED_BY: Mapping[Capability, Check] = {
    Capability.CHAT: Check.STREAMING,
    Capability.TOOLS: Check.TOOLS,
    Capability.VISION: Check.IMAGES,
    Capability.STRUCTURED_OUTPUT: Check.JSON_SCHEMA,
    Capability.EMBEDDINGS: Check.EMBEDDINGS,
    Capability.TRANSCRIPTION: Check.AUDIO,
}
"""A capability that stands not here has no check yet, and the card says so."""
BEYOND: Mapping[Check, str | Promise] = {
    Check.STREAM_USAGE: gettext_lazy("token counts in streams"),
    Check.CONTEXT: gettext_lazy("context window"),
}
"""What conversations need beyond a capability of the catalogue."""


class Mark(NamedTuple):
    """A sign, its tone and the word that says the same."""

    icon: str
    tone: str
    word: str | Promise


MARKS: Mapping[Standing, Mark] = {
    Standing.WELL: Mark("circle-check", "text-green", gettext_lazy("tested")),
    Standing.RESERVED: Mark("alert-triangle", "text-orange", gettext_lazy("with a reservation")),
    Standing.FAILED: Mark("alert-circle", "text-red", gettext_lazy("failed")),
    Standing.NOT_OFFERED: Mark("info-circle", "text-secondary", gettext_lazy("not offered")),
    Standing.UNTESTED: Mark("info-circle", "text-secondary", gettext_lazy("never tested")),
}

Tested = Sequence[Mapping[str, Found]]
"""What was found of each server in service."""


@dataclass(frozen=True)
class Ability:
    """One thing that a model may be able to do: what is declared, and how its servers stand to it."""

    name: str
    label: str | Promise
    is_declared: bool
    is_capability: bool
    has_check: bool
    standings: Counter[Standing]
    latest: datetime | None

    @property
    def servers(self) -> int:
        return self.standings.total()

    @property
    def is_tested(self) -> bool:
        """Whether some server has passed, and none has failed."""
        return self.standing is Standing.WELL

    @property
    def standing(self) -> Standing:
        """The worst that was found, so that a green sign never hides a red one."""
        for worst in (Standing.FAILED, Standing.RESERVED, Standing.WELL):
            if self.standings[worst]:
                return worst
        return Standing.UNTESTED

    @property
    def mark(self) -> Mark:
        return MARKS[self.standing]

    @property
    def short(self) -> str:
        """How many servers have passed out of all; empty where nothing was tested."""
        if self.latest is None:
            return ""
        passed = self.standings[Standing.WELL] + self.standings[Standing.RESERVED]
        return f"{passed}/{self.servers}"

    @property
    def sentence(self) -> str:
        """What is known, without the label."""
        if not self.has_check:
            return _("declared; there is no check for it yet")
        if not self.servers:
            return _("declared; no server serves it at this moment")
        if self.latest is None:
            if self.standings[Standing.NOT_OFFERED] == self.servers:
                return _("declared in the catalogue, offered by none of its servers")
            return _("declared, never tested")
        return pgettext("between findings", "; ").join(self._parts(self.latest))

    def _parts(self, latest: datetime) -> list[str]:
        well, values = self.standings[Standing.WELL], {"servers": self.servers}
        told = ngettext(
            "tested well on %(well)s of %(servers)s server, %(day)s",
            "tested well on %(well)s of %(servers)s servers, %(day)s",
            self.servers,
        )
        if not well:
            told = _("last tested %(day)s")
        parts = [told % {**values, "well": well, "day": short_day(_day(latest))}]
        others = (
            (Standing.RESERVED, _("with a reservation on %(count)s")),
            (Standing.FAILED, _("failed on %(count)s")),
            (Standing.NOT_OFFERED, _("not offered by %(count)s")),
            (Standing.UNTESTED, _("never tested on %(count)s")),
        )
        parts += [
            text % {"count": self.standings[standing]}
            for standing, text in others
            if self.standings[standing]
        ]
        if not self.is_declared:
            parts.append(_("not declared in the catalogue"))
        return parts


def abilities(declared: Collection[str], tested: Tested) -> list[Ability]:
    """Return what is declared, and what was found beside; what nobody declares and no server offers is left out."""
    known = [
        _ability(each.value, each.label, each in declared, CHECKED_BY.get(each), tested)
        for each in Capability
    ]
    if Capability.CHAT in declared:
        known += [
            _ability(check.value, label, True, check, tested) for check, label in BEYOND.items()
        ]
    return [each for each in known if each.is_declared or each.standings[Standing.WELL]]


def _ability(
    name: str, label: str | Promise, is_declared: bool, check: Check | None, tested: Tested
) -> Ability:
    found = [each.get(check) if check else None for each in tested]
    standings = Counter(each.standing if each else Standing.UNTESTED for each in found)
    counted = (Standing.WELL, Standing.RESERVED, Standing.FAILED)
    return Ability(
        name=name,
        label=label,
        is_declared=is_declared,
        is_capability=name in Capability.values,
        has_check=check is not None,
        standings=standings,
        latest=max((each.at for each in found if each and each.standing in counted), default=None),
    )


def longest_read(tested: Tested) -> Found | None:
    """Return the finding of the longest prompt that was read whole."""
    read = [found for each in tested if (found := each.get(Check.CONTEXT))]
    whole = [found for found in read if found.finding == Finding.WINDOW_FITS]
    return max(whole, key=lambda found: found.figures.get("tokens", 0), default=None)


class Speed(NamedTuple):
    """How fast the servers were at their last check: the range over all, in words."""

    label: str
    text: str
    latest: datetime


def speeds(tested: Tested) -> list[Speed]:
    """Return the speeds that were measured, with one request and with several at once."""
    kinds = ((Check.SPEED_ALONE, _alone), (Check.SPEED_TOGETHER, _together))
    measured = [
        (words, [found for each in tested if (found := each.get(check)) and is_measure(found)])
        for check, words in kinds
    ]
    return [words(found) for words, found in measured if found]


def is_measure(found: Found) -> bool:
    return "first_ms" in found.figures and "tokens_per_s" in found.figures


def _alone(found: list[Found]) -> Speed:
    text = _("first token after %(first)s ms, then %(rate)s tokens a second") % _ranges(found)
    return Speed(_("Measured speed, one request"), text, max(each.at for each in found))


def _together(found: list[Found]) -> Speed:
    text = _("first token after %(first)s ms, then %(rate)s tokens a second in all")
    requests = _range([each.figures.get("requests", 0) for each in found])
    label = _("Measured speed, %(count)s requests at once") % {"count": requests}
    return Speed(label, text % _ranges(found), max(each.at for each in found))


def _ranges(found: list[Found]) -> dict[str, str]:
    return {
        "first": _range([each.figures["first_ms"] for each in found]),
        "rate": _range([each.figures["tokens_per_s"] for each in found]),
    }


def _range(values: list[float]) -> str:
    """Return one number, or the smallest and the largest, as the reader writes them."""
    low, high = (
        number_format(round(value), force_grouping=True) for value in (min(values), max(values))
    )
    return low if low == high else _("%(low)s to %(high)s") % {"low": low, "high": high}


def _day(moment: datetime) -> date:
    return timezone.localdate(moment)
