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


class Days(models.TextChoices):
    """Days of the week for which a rule holds; `days_of` says which."""

    ALL = "all", _("every day")
    WORKING = "working", _("Monday to Friday")
    WEEKEND = "weekend", _("Saturday and Sunday")
    MONDAY = "0", _("Monday")
    TUESDAY = "1", _("Tuesday")
    WEDNESDAY = "2", _("Wednesday")
    THURSDAY = "3", _("Thursday")
    FRIDAY = "4", _("Friday")
    SATURDAY = "5", _("Saturday")
    SUNDAY = "6", _("Sunday")


def days_of(days: Days) -> range:
    """Return the days, 0 is Monday."""
    match days:
        case Days.ALL:
            return range(7)
        case Days.WORKING:
            return range(5)
        case Days.WEEKEND:
            return range(5, 7)
        case _:
            return range(int(days), int(days) + 1)
