"""Critical models as pages show them: what each must have, and what routers say that it has."""

from typing import NamedTuple

from federation.catalogue.models import AIModel, MinimumService
from federation.fleet.models import Deployment
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for
from routing.dispatch.frames import Load
from routing.dispatch.messages import MinimumLoad


class Critical(NamedTuple):
    """`now` is None while no router tells of it."""

    model: AIModel
    minimum: MinimumService
    now: MinimumLoad | None

    @property
    def below(self) -> MinimumLoad | None:
        """How it stands, while it is below its minimum."""
        return self.now if self.now and not self.now.is_met else None


def critical_models(user: User, load: Load | None) -> list[Critical]:
    """Return the critical models among those that `user` may see, by name."""
    rows = (
        MinimumService.objects.for_user(user)
        .in_force()
        .filter(model__in=AIModel.objects.served())
        .select_related("model", "fallback")
        .order_by("model__display_name")
    )
    return [Critical(row.model, row, _now(row.model, load)) for row in rows]


def concerning(user: User, load: Load | None) -> list[Critical]:
    """Return those that `user` answers for: all for the federation, else those on its institution's servers."""
    found = critical_models(user, load)
    if not found or user.sees_everything:
        return found
    run = institution_ids_for(user, Role.MEMBER_DSI)
    own = Deployment.objects.live().filter(server__site__institution_id__in=run)
    models = set(own.values_list("version__model_id", flat=True)) if run else set()
    return [each for each in found if each.model.pk in models]


def _now(model: AIModel, load: Load | None) -> MinimumLoad | None:
    found = load.view.models.get(str(model.pk)) if load else None
    return found.minimum if found else None
