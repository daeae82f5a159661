"""One model on several servers: what each is, what was found there, and where it differs from the current version."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboards.abilities import BEYOND, CHECKED_BY, MARKS, Mark, is_measure
from dashboards.findings import Found, Standing
from dashboards.queries import ModelCard, Serving
from federation.catalogue.models import ModelVersion
from federation.days import short_day
from federation.fleet.enums import SiteLabel
from routing.core.conformity import Check, Finding
from routing.upstream.conformity.watching import ALIKE

Text = str | Promise
DASH = "–"


class Cell(NamedTuple):
    """What stands for one server; `differs` says that it is not as in the current version."""

    text: str
    mark: Mark | None = None
    note: str = ""
    differs: bool = False


class Line(NamedTuple):
    """A cell for each of the card's servings, in their order."""

    label: Text
    cells: list[Cell]


def comparison(card: ModelCard) -> list[Line]:
    return [*_versions(card), *_checks(card), *_measures(card), *_sites(card)]


def _versions(card: ModelCard) -> list[Line]:
    """What two servers must share to be interchangeable, against the current version."""
    told: tuple[tuple[Text, Callable[[Serving | ModelVersion], str]], ...] = (
        (gettext_lazy("Weights"), lambda each: each.revision),
        (gettext_lazy("Quantisation"), lambda each: each.quantisation),
        (gettext_lazy("Conversation template"), lambda each: each.template),
        (gettext_lazy("Context, declared"), lambda each: _tokens(each.context_length)),
    )
    current = card.current
    return [
        Line(
            label,
            [
                Cell(
                    text(each) or DASH,
                    differs=current is not None and text(each) != text(current),
                )
                for each in card.servings
            ],
        )
        for label, text in told
    ]


def _checks(card: ModelCard) -> list[Line]:
    checks = [(check, capability.label) for capability, check in CHECKED_BY.items()]
    lines = [
        Line(_sentence_case(label), [_checked(found.get(check)) for found in _found(card)])
        for check, label in (*checks, *BEYOND.items())
        if check is not Check.CONTEXT
    ]
    context = Line(_("Context, really read"), [_window(found) for found in _found(card)])
    untold = {MARKS[Standing.NOT_OFFERED].word, MARKS[Standing.UNTESTED].word}
    kept = [
        line
        for line in lines
        if any(cell.mark and cell.mark.word not in untold for cell in line.cells)
    ]
    return [*kept, context]


def _checked(found: Found | None) -> Cell:
    mark = MARKS[found.standing if found else Standing.UNTESTED]
    tells = found is not None and found.standing is not Standing.NOT_OFFERED
    return Cell(str(mark.word), mark, _on(found) if found and tells else "")


def _window(found: Mapping[str, Found]) -> Cell:
    line = found.get(Check.CONTEXT)
    if line is None or line.standing in (Standing.NOT_OFFERED, Standing.UNTESTED):
        return _checked(line)
    if line.finding == Finding.WINDOW_FITS:
        return Cell(_tokens(line.figures.get("tokens")), MARKS[line.standing], _on(line))
    return _checked(line)


def _measures(card: ModelCard) -> list[Line]:
    """Speeds, and the likeness of answers, of which a low figure is for people to judge."""
    return [
        Line(
            _("Speed, one request"), [_speed(each.get(Check.SPEED_ALONE)) for each in _found(card)]
        ),
        Line(
            _("Speed, several requests"),
            [_speed(each.get(Check.SPEED_TOGETHER)) for each in _found(card)],
        ),
        Line(_("Answers like its peers"), [_likeness(each) for each in _found(card)]),
    ]


def _speed(found: Found | None) -> Cell:
    if found is None or not is_measure(found):
        return Cell(_("not measured"))
    told = _("first token after %(first)s ms, then %(rate)s tokens a second (%(count)s at once)")
    text = told % {
        "first": number_format(found.figures["first_ms"], force_grouping=True),
        "rate": number_format(round(found.figures["tokens_per_s"]), force_grouping=True),
        "count": found.figures.get("requests", 1),
    }
    return Cell(text, note=_on(found))


def _likeness(found: Mapping[str, Found]) -> Cell:
    line = found.get(Check.PEERS)
    if line is None or "percent" not in line.figures:
        return Cell(_("not compared"))
    told = _("%(percent)s%% alike at temperature 0")
    if line.finding == Finding.UNALIKE:
        told = _(
            "only %(percent)s%% alike at temperature 0, where %(least)s%% are expected: "
            "perhaps not quite the same model"
        )
    figures = {"percent": line.figures["percent"], "least": round(100 * ALIKE)}
    return Cell(told % figures, MARKS[line.standing], _on(line))


def _sites(card: ModelCard) -> list[Line]:
    known: dict[str, str] = {label.value: str(label.label) for label in SiteLabel}
    servers = [each.server for each in card.servings]
    return [
        Line(_("Engine"), [Cell(server.engine_label) for server in servers]),
        Line(
            _("Labels of the site"),
            [
                Cell(", ".join(known.get(label, label) for label in server.labels) or _("none"))
                for server in servers
            ],
        ),
        Line(
            "PUE",
            [
                Cell(number_format(server.pue, 2) if server.pue else _("not known"))
                for server in servers
            ],
        ),
    ]


def _found(card: ModelCard) -> list[Mapping[str, Found]]:
    return [card.findings.get(each.deployment_id, {}) for each in card.servings]


def _tokens(count: float | None) -> str:
    return number_format(count, force_grouping=True) if count else ""


def _on(found: Found) -> str:
    return short_day(timezone.localdate(found.at))


def _sentence_case(label: Text) -> str:
    text = str(label)
    return text[:1].upper() + text[1:]
