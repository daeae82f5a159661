"""What the owner of a server allows the requests of other institutions."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel
from federation.fleet import policies
from federation.fleet.calendar import MOST_LINES, GuestHours
from federation.fleet.models import GuestRules, InferenceServer
from federation.fleet.operations.servers import locked_server
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members.models import Institution
from routing.core.enums import PriorityClass


@transaction.atomic
def set_guest_rules(
    *,
    by: Actor,
    server: InferenceServer,
    lowest_class: PriorityClass = PriorityClass.P1,
    hours: Sequence[GuestHours] = (),
    blocked_institutions: Sequence[Institution] = (),
    blocked_models: Sequence[AIModel] = (),
) -> GuestRules:
    """Replace the rules as a whole; routers go by them within a second. The owner itself is never bound."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    if len(hours) > MOST_LINES:
        raise ValidationError(_("At most %(count)s lines.") % {"count": MOST_LINES})
    rules = GuestRules.objects.filter(server=locked).first() or GuestRules(server=locked)
    rules.lowest_class = lowest_class.value
    rules.hours = [line.as_json() for line in hours]
    rules.full_clean()
    rules.save()
    rules.blocked_institutions.set(blocked_institutions)
    rules.blocked_models.set(blocked_models)
    record(
        by=by,
        verb="fleet.set_guest_rules",
        obj=rules,
        institution=locked.institution,
        diff={
            "server": locked.pk,
            "lowest_class": lowest_class,
            "hours": rules.hours,
            "blocked_institutions": [each.pk for each in blocked_institutions],
            "blocked_models": [each.pk for each in blocked_models],
        },
    )
    return rules
