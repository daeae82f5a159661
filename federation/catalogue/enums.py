"""Categories, capabilities and stages of models: labels for pages, and how a stage may move."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from federation.transitions import Transitions
from routing.core.enums import LifecycleStage, RoutingSetting, Strategy


class Category(models.TextChoices):
    """What a model is for, in the federation's own words."""

    GENERALIST = "generalist", _("generalist")
    MULTIMODAL = "multimodal", _("multimodal")
    REASONING = "reasoning", _("reasoning")
    AGENTIC = "agentic", _("agentic")
    EMBEDDING = "embedding", pgettext_lazy("category", "embedding")
    SPEECH = "speech", pgettext_lazy("category", "speech")


class Capability(models.TextChoices):
    """What a model can be asked for; `/v1/models` lists the values."""

    CHAT = "chat", _("chat")
    TOOLS = "tools", _("tool calls")
    VISION = "vision", _("images")
    REASONING = "reasoning", _("reasoning")
    STRUCTURED_OUTPUT = "structured_output", _("structured output")
    EMBEDDINGS = "embeddings", _("embeddings")
    RERANK = "rerank", _("reranking")
    TRANSCRIPTION = "transcription", _("speech to text")


class AnnouncementKind(models.TextChoices):
    """What is told to the people whose keys used a model."""

    DEPRECATED = "deprecated", _("deprecation")
    MOVED = "moved", _("new date")
    KEPT = "kept", _("stays in production")
    REMINDER = "reminder", _("reminder")
    ALIAS = "alias", _("end of an alias")


STAGE_LABELS = {
    LifecycleStage.PROPOSED.value: _("proposed"),
    LifecycleStage.STAGING.value: _("staging"),
    LifecycleStage.PRODUCTION.value: _("production"),
    LifecycleStage.DEPRECATED.value: _("deprecated"),
    LifecycleStage.RETIRED.value: _("retired"),
}

STRATEGY_LABELS = {
    Strategy.ROUND_ROBIN.value: _("round robin"),
    Strategy.LEAST_BUSY.value: _("least busy"),
    Strategy.AFFINITY.value: _("affinity"),
}

SETTING_LABELS = {
    RoutingSetting.AFFINITY.value: _("affinity"),
    RoutingSetting.LEAST_BUSY_REQUEUE.value: _("least busy, with requeue"),
    RoutingSetting.ROUND_ROBIN_REQUEUE.value: _("round robin, with requeue"),
    RoutingSetting.ROUND_ROBIN.value: _("round robin"),
}

SETTING_TEXTS = {
    RoutingSetting.AFFINITY.value: _(
        "A request goes where it is expected to cost least: to the server that has read the beginning of "
        "its prompt before, unless another is quicker. What a server takes at once is learnt from its "
        "streams. For any server; the default."
    ),
    RoutingSetting.LEAST_BUSY_REQUEUE.value: _(
        "A request goes to the server with the fewest in flight. It waits, by class, while every server "
        "has its given number of requests or, by its own statistics, five waiting. Made for vLLM; a server "
        "without statistics is held to its number alone."
    ),
    RoutingSetting.ROUND_ROBIN_REQUEUE.value: _(
        "Servers take turns. A request waits, by class, while every server has its given number of "
        "requests at once (100 where none is given). For any server."
    ),
    RoutingSetting.ROUND_ROBIN.value: _(
        "Servers take turns, and what comes is passed on at once: queues form in the servers, where "
        "classes count for nothing. Only a ceiling given by a server’s owner makes anybody wait."
    ),
}
"""What each means, for whoever chooses."""

TRANSITIONS: Transitions[LifecycleStage] = {
    LifecycleStage.PROPOSED: frozenset({LifecycleStage.STAGING, LifecycleStage.RETIRED}),
    LifecycleStage.STAGING: frozenset({LifecycleStage.PRODUCTION, LifecycleStage.RETIRED}),
    LifecycleStage.PRODUCTION: frozenset({LifecycleStage.DEPRECATED}),
    LifecycleStage.DEPRECATED: frozenset({LifecycleStage.PRODUCTION, LifecycleStage.RETIRED}),
    LifecycleStage.RETIRED: frozenset(),
}
