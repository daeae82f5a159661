"""Engines, and the states of servers and deployments with the ways between them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from federation.transitions import Transitions
from routing.core.enums import ServerState


class Engine(models.TextChoices):
    """The software of an inference server; `OPENAI` is any other that speaks the OpenAI interface."""

    VLLM = "vllm", "vLLM"
    OLLAMA = "ollama", "Ollama"
    LITELLM = "litellm", "LiteLLM"
    LMDEPLOY = "lmdeploy", "LMDeploy"
    OPENAI = "openai", _("OpenAI-compatible")


SERVER_STATE_LABELS = {
    ServerState.STAGING.value: _("staging"),
    ServerState.LIVE.value: _("in service"),
    ServerState.DRAINING.value: _("draining"),
    ServerState.SUSPENDED.value: _("suspended"),
    ServerState.RETIRED.value: _("retired"),
}

SERVER_TRANSITIONS: Transitions[ServerState] = {
    ServerState.STAGING: frozenset({ServerState.LIVE, ServerState.RETIRED}),
    ServerState.LIVE: frozenset({ServerState.DRAINING, ServerState.SUSPENDED}),
    ServerState.DRAINING: frozenset({ServerState.LIVE, ServerState.SUSPENDED, ServerState.RETIRED}),
    ServerState.SUSPENDED: frozenset({ServerState.LIVE, ServerState.RETIRED}),
    ServerState.RETIRED: frozenset(),
}


class DeploymentState(models.TextChoices):
    LIVE = "live", _("in service")
    RETIRED = "retired", _("retired")


DEPLOYMENT_TRANSITIONS: Transitions[DeploymentState] = {
    DeploymentState.LIVE: frozenset({DeploymentState.RETIRED}),
    DeploymentState.RETIRED: frozenset(),
}
