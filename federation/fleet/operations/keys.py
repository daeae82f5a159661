"""Another access key of a server: in force at once, or, where requests come, once the server has taken it."""

from django.db import transaction

from federation.fleet import policies
from federation.fleet.models import ConformityRun, InferenceServer
from federation.fleet.operations.credentials import encryption_keys, rotate_credential
from federation.fleet.operations.runs import request_run
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from routing.core.conformity import RunKind
from routing.core.enums import ServerState
from routing.upstream.credentials import Secret, seal

ASKED = frozenset({ServerState.LIVE, ServerState.DRAINING})
"""States in which requests are answered with the present key: a wrong one would end them all."""


@transaction.atomic
def change_access_key(*, by: Actor, server: InferenceServer, key: Secret) -> ConformityRun:
    """Have the server looked at with another key, and return the run.

    While requests come to it, the present key stays in force until the server has taken the new one.
    """
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    # What is under way looks at the key before.
    locked.runs.filter(kind=RunKind.CONFORMITY).break_off()
    if locked.state not in ASKED:
        rotate_credential(by=by, server=locked, credential=key)
        return request_run(by=by, server=locked)
    sealed = seal(str(locked.pk), key, encryption_keys())
    run = request_run(by=by, server=locked, sealed_key=sealed)
    record(
        by=by,
        verb="fleet.change_access_key",
        obj=run,
        institution=locked.institution,
        diff={"server": locked.pk},
    )
    return run
