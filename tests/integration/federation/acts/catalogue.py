"""Acts about models: their names, their life, how they are served."""

from django.utils import timezone

from federation.catalogue.models import AIModel
from federation.catalogue.operations import (
    aliases,
    facts,
    life,
    minimum,
    proposals,
    registering,
    routing,
)
from federation.fleet.enums import RunState
from federation.journal.actors import Actor
from routing.core.enums import LifecycleStage
from tests.integration.federation.acts.who import ADMIN, NOBODY, RENNES_DSI, Acts
from tests.integration.federation.world import World
from tests.support.lifecycle import APERTUS, bring_the_day, in_days


def _open_alarm(world: World, by: Actor) -> object:
    world.model.minimum_alarms.update(ended_at=timezone.now())
    least = world.model.minimum_services.get()
    return minimum.open_alarm(by=by, minimum=least, began_at=timezone.now(), servers=0, sites=0)


def _put_into_production(world: World, by: Actor) -> object:
    type(world.model).objects.filter(pk=world.model.pk).update(stage=LifecycleStage.STAGING)
    type(world.run).objects.filter(pk=world.run.pk).update(
        state=RunState.PASSED, ended_at=timezone.now()
    )
    return life.put_into_production(by=by, model=world.model)


def _deprecated(world: World) -> AIModel:
    """Return the model as if it had been deprecated, without a word in the journal."""
    rows = AIModel.objects.filter(pk=world.model.pk)
    rows.update(
        stage=LifecycleStage.DEPRECATED, deprecated_at=timezone.now(), retires_on=in_days(90)
    )
    return rows.get()


ACTS: Acts = {
    "describe_model": (
        ADMIN,
        lambda w, by: facts.describe_model(by=by, model=w.model, facts={"licence": "MIT"}),
    ),
    "register_model": (ADMIN, lambda w, by: registering.register_model(by=by, slug="new-model")),
    "add_version": (
        ADMIN,
        lambda w, by: registering.add_version(by=by, model=w.model, revision="other"),
    ),
    "propose_model": (
        ADMIN,
        lambda w, by: proposals.propose_model(by=by, slug="apertus-70b", facts=APERTUS),
    ),
    "propose_model in the name of a member": (
        RENNES_DSI | {"rennes_user"},
        lambda w, by: proposals.propose_model(
            by=by, slug="apertus-70b", facts=APERTUS, institution=w.cast.rennes
        ),
    ),
    "withdraw_proposal": (
        ADMIN | {"rennes_user"},
        lambda w, by: proposals.withdraw_proposal(by=by, proposal=w.proposal),
    ),
    "adopt_model": (
        ADMIN,
        lambda w, by: proposals.adopt_model(by=by, model=w.proposed, reason="minutes of 3 May"),
    ),
    "put_into_production": (ADMIN, lambda w, by: _put_into_production(w, by)),
    "deprecate_model": (
        ADMIN,
        lambda w, by: life.deprecate_model(by=by, model=w.model, retires_on=in_days(60)),
    ),
    "change_deprecation": (
        ADMIN,
        lambda w, by: life.change_deprecation(by=by, model=_deprecated(w), retires_on=in_days(60)),
    ),
    "restore_model": (
        ADMIN,
        lambda w, by: life.restore_model(by=by, model=_deprecated(w), reason="still needed"),
    ),
    "retire_model": (
        ADMIN,
        lambda w, by: life.retire_model(by=by, model=bring_the_day(_deprecated(w))),
    ),
    "retire_model that was never offered": (
        ADMIN,
        lambda w, by: life.retire_model(by=by, model=w.proposed, reason="no licence"),
    ),
    "add_alias": (ADMIN, lambda w, by: aliases.add_alias(by=by, model=w.model, name="another")),
    "end_alias": (
        ADMIN,
        lambda w, by: aliases.end_alias(by=by, alias=w.alias, sunset=in_days(60)),
    ),
    "remove_alias": (ADMIN, lambda w, by: aliases.remove_alias(by=by, alias=w.alias)),
    "set_routing": (
        ADMIN,
        lambda w, by: routing.set_routing(by=by, model=w.model, settings={"longest_wait": 60}),
    ),
    "set_minimum": (
        ADMIN,
        lambda w, by: minimum.set_minimum(by=by, model=w.model, minimum={"protected_class": 4}),
    ),
    "open_alarm": (NOBODY, lambda w, by: _open_alarm(w, by)),
    "end_alarm": (
        NOBODY,
        lambda w, by: minimum.end_alarm(
            by=by, alarm=w.model.minimum_alarms.get(), ended_at=timezone.now()
        ),
    ),
}
