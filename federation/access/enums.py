"""Labels of the choices that a key makes. The values are the router's."""

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from routing.core.enums import Endpoint, Measure, PriorityClass, RoutingMode, Told
from routing.core.labels import OWN

PRIORITY_LABELS = {
    PriorityClass.P5.value: _("P5, served first"),
    PriorityClass.P4.value: "P4",
    PriorityClass.P3.value: _("P3, ordinary"),
    PriorityClass.P2.value: "P2",
    PriorityClass.P1.value: _("P1, served last: batches"),
}

ROUTING_MODE_LABELS = {
    RoutingMode.ANY.value: _("any server"),
    RoutingMode.PRIVATE_FIRST.value: _("own servers first"),
    RoutingMode.PRIVATE_ONLY.value: _("own servers only"),
}

ENDPOINT_LABELS = {
    Endpoint.CHAT.value: _("conversations (chat/completions)"),
    Endpoint.COMPLETIONS.value: _("texts to continue (completions)"),
    Endpoint.RESPONSES.value: _("agents, by OpenAI’s interface (responses)"),
    Endpoint.MESSAGES.value: _("agents, by Anthropic’s interface (messages)"),
    Endpoint.EMBEDDINGS.value: _("embeddings (embeddings)"),
    Endpoint.RERANK.value: _("reranking (rerank)"),
    Endpoint.TRANSCRIPTIONS.value: _("speech to text (audio/transcriptions)"),
    Endpoint.TRANSLATIONS.value: _("speech to English text (audio/translations)"),
    Endpoint.SPEECH.value: _("text to speech (audio/speech)"),
    Endpoint.IMAGES.value: _("images to make (images/generations)"),
}

TOLD_LABELS = {
    Told.IMPACT.value: _("energy, CO2e, water and metals, with their ranges (usage.impact)"),
    Told.CARBON.value: _("kWh and CO2e, in the shape of the Albert API (usage.carbon)"),
}

OWN_LABEL = _("the institution’s own sites")


def in_words(labels: Iterable[str]) -> str:
    """Return a data class as it is told to people."""
    return ", ".join(str(OWN_LABEL) if label == OWN else label for label in labels)


class KeyState(models.TextChoices):
    """By what an institution's keys are looked through."""

    IN_USE = "", _("in use")
    UNUSED = "unused", _("in use, but not used for 90 days")
    ENDING = "ending", _("ending within 30 days")
    ENDED = "ended", _("revoked or expired")


MEASURE_LABELS = {
    Measure.REQUESTS_PER_MINUTE.value: _("requests per minute"),
    Measure.REQUESTS_PER_DAY.value: _("requests per day"),
    Measure.TOKENS_PER_MINUTE.value: _("tokens per minute"),
    Measure.TOKENS_PER_DAY.value: _("tokens per day"),
    Measure.AT_ONCE.value: _("requests at once"),
}
