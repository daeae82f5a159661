"""Which model version a server answers to, and under which name."""

from collections.abc import Sequence

from django.db import transaction

from federation.catalogue.models import ModelVersion
from federation.fleet import policies
from federation.fleet.enums import DEPLOYMENT_TRANSITIONS, DeploymentState
from federation.fleet.models import Deployment, InferenceServer
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.transitions import check_transition


@transaction.atomic
def deploy_model(
    *,
    by: Actor,
    server: InferenceServer,
    version: ModelVersion,
    served_name: str,
    endpoints: Sequence[str] = (),
) -> Deployment:
    """Say that `server` answers to `served_name` with `version`; `endpoints` empty when not declared."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    deployment = Deployment(
        server=locked, version=version, served_name=served_name, endpoints=list(endpoints)
    )
    deployment.full_clean()
    deployment.save()
    record(
        by=by,
        verb="fleet.deploy_model",
        obj=deployment,
        institution=locked.institution,
        diff={"server": locked.pk, "version": version.pk, "served_name": served_name},
    )
    return deployment


@transaction.atomic
def retire_deployment(*, by: Actor, deployment: Deployment) -> Deployment:
    """Take a model off a server. Raises `ForbiddenTransitionError` when it is off already."""
    locked = Deployment.objects.select_for_update().get(pk=deployment.pk)
    policies.check_manage_server(by, locked.server)
    before = DeploymentState(locked.state)
    check_transition(DEPLOYMENT_TRANSITIONS, before, DeploymentState.RETIRED)
    locked.state = DeploymentState.RETIRED
    locked.save(update_fields=["state"])
    record(
        by=by,
        verb="fleet.retire_deployment",
        obj=locked,
        institution=locked.server.institution,
        diff={"state": [before, DeploymentState.RETIRED]},
    )
    return locked
