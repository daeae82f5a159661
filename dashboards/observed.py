"""A public card beside what the router observes of that server now, as the pages list it."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy, pgettext_lazy

from dashboards.queries import ServerCard
from routing.core.enums import Health
from routing.core.stops import Stopped
from routing.dispatch.frames import Load
from routing.dispatch.messages import ServerLoad

HEALTH_LABELS = {
    Health.HEALTHY.value: gettext_lazy("healthy"),
    Health.PROBING.value: gettext_lazy("being tried"),
    Health.EJECTED.value: gettext_lazy("out of order"),
}
NOT_KNOWN = pgettext_lazy("health", "not known")
_TONES = {
    Health.HEALTHY.value: "status-green",
    Health.PROBING.value: "status-yellow",
    Health.EJECTED.value: "status-red",
}


@dataclass(frozen=True)
class ServerRow:
    """`load` is None while the router is away or does not know the server; `address` unless one runs it.

    `is_stopped`: an operator has stopped it at the router, whatever the register says of its state.
    """

    card: ServerCard
    load: ServerLoad | None
    models: tuple[str, ...] = ()
    address: str | None = None
    is_stopped: bool = False

    @property
    def health_label(self) -> str:
        return str(HEALTH_LABELS[self.load.health]) if self.load else str(NOT_KNOWN)

    @property
    def health_tone(self) -> str:
        return _TONES[self.load.health] if self.load else ""


def observed(card: ServerCard, load: Load | None) -> ServerLoad | None:
    return load.view.servers.get(str(card.id)) if load else None


def is_stopped(card: ServerCard, load: Load | None) -> bool:
    stops = load.stops if load else ()
    return any(stop.what is Stopped.SERVER and stop.id == str(card.id) for stop in stops)


def health_texts() -> dict[str, dict[str, str]]:
    """Return what `static/js/live.js` writes into a badge: by health, its label and tone."""
    texts = {
        key: {"label": str(label), "tone": _TONES[key]} for key, label in HEALTH_LABELS.items()
    }
    return {**texts, "": {"label": str(NOT_KNOWN), "tone": ""}}
