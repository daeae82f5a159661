"""Models at every point of their life, for tests."""

from datetime import date, timedelta

from django.utils import timezone

from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel
from federation.catalogue.operations.life import deprecate_model, retire_model
from federation.catalogue.operations.proposals import ProposalFacts
from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, InferenceServer
from federation.fleet.operations.runs import request_run
from routing.core.conformity import RunKind
from tests.support.factories import OPERATOR

APERTUS = ProposalFacts(
    publisher="Swiss AI Initiative",
    licence="Apache-2.0",
    category=Category.GENERALIST,
    weights_url="https://huggingface.co/swiss-ai/Apertus-70B-Instruct-2509",
    reason="Une recette entièrement publiée.",
    hosts="Reims",
)


def in_days(count: int) -> date:
    return timezone.localdate() + timedelta(days=count)


def deprecate(model: AIModel, *, days: int = 90, successor: AIModel | None = None) -> AIModel:
    return deprecate_model(by=OPERATOR, model=model, retires_on=in_days(days), successor=successor)


def bring_the_day(model: AIModel) -> AIModel:
    """Have the day of a deprecated model's retirement come."""
    AIModel.objects.filter(pk=model.pk).update(retires_on=timezone.localdate())
    return AIModel.objects.get(pk=model.pk)


def retire(model: AIModel, successor: AIModel | None = None) -> AIModel:
    """From production to its end."""
    return retire_model(by=OPERATOR, model=bring_the_day(deprecate(model, successor=successor)))


def pass_checks(server: InferenceServer, state: RunState = RunState.PASSED) -> ConformityRun:
    """As if a router had just found the server well, or not."""
    server.runs.open().filter(kind=RunKind.CONFORMITY).delete()
    run = request_run(by=OPERATOR, server=server)
    ConformityRun.objects.filter(pk=run.pk).update(state=state, ended_at=timezone.now())
    return run
