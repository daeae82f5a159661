"""A server and its models at once: into service and on offer, by one decision that was made elsewhere."""

from django.db import transaction

from federation.catalogue.models import AIModel
from federation.catalogue.operations.life import put_into_production
from federation.catalogue.operations.proposals import adopt_model
from federation.fleet.models import InferenceServer, TechnicalForm
from federation.fleet.operations.technical import accept_form
from federation.fleet.queries import models_waiting
from federation.journal.actors import Actor
from routing.core.enums import LifecycleStage


@transaction.atomic
def accept_and_offer(*, by: Actor, form: TechnicalForm, reason: str) -> InferenceServer:
    """Put a server into service and its models that wait into production; `reason` says where that was decided.

    Raises `ValidationError`, and does nothing, when one of these steps is refused.
    """
    server = accept_form(by=by, form=form)
    for model in models_waiting(server):
        put_into_production(by=by, model=_on_trial(by, model, reason))
    return server


def _on_trial(by: Actor, model: AIModel, reason: str) -> AIModel:
    is_proposed = model.stage == LifecycleStage.PROPOSED
    return adopt_model(by=by, model=model, reason=reason) if is_proposed else model
