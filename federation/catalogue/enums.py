"""Categories, capabilities and stages of models: labels for pages, and how a stage may move."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from federation.transitions import Transitions
from routing.core.enums import LifecycleStage, Strategy


class Category(models.TextChoices):
    """What a model is for, in the federation's own four words."""

    GENERALIST = "generalist", _("generalist")
    MULTIMODAL = "multimodal", _("multimodal")
    REASONING = "reasoning", _("reasoning")
    AGENTIC = "agentic", _("agentic")


class Capability(models.TextChoices):
    """What a model can be asked for; `/v1/models` lists the values."""

    CHAT = "chat", _("chat")
    TOOLS = "tools", _("tool calls")
    VISION = "vision", _("images")
    REASONING = "reasoning", _("reasoning")
    STRUCTURED_OUTPUT = "structured_output", _("structured output")
    EMBEDDINGS = "embeddings", _("embeddings")
    RERANK = "rerank", _("reranking")


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

TRANSITIONS: Transitions[LifecycleStage] = {
    LifecycleStage.PROPOSED: frozenset({LifecycleStage.STAGING, LifecycleStage.RETIRED}),
    LifecycleStage.STAGING: frozenset({LifecycleStage.PRODUCTION, LifecycleStage.RETIRED}),
    LifecycleStage.PRODUCTION: frozenset({LifecycleStage.DEPRECATED}),
    LifecycleStage.DEPRECATED: frozenset({LifecycleStage.PRODUCTION, LifecycleStage.RETIRED}),
    LifecycleStage.RETIRED: frozenset(),
}
