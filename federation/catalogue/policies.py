"""Who may write the catalogue: the federation decides which models it offers."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel, Alias
from federation.journal.actors import Actor
from federation.people.policies import is_federation_admin
from federation.policy import asking, refuse_unless
from routing.core.enums import LifecycleStage


def check_write_catalogue(by: Actor) -> None:
    refuse_unless(is_federation_admin(by))


def check_set_routing(by: Actor, model: AIModel) -> None:
    """The federation decides how what it shares is shared out; a retired model is asked for no more."""
    check_write_catalogue(by)
    if model.stage == LifecycleStage.RETIRED:
        raise ValidationError(_("This model is retired."), code="retired")


def check_describe(by: Actor, model: AIModel) -> None:
    """The federation writes the cards; of a retired model, the last one stands."""
    check_write_catalogue(by)
    if model.stage == LifecycleStage.RETIRED:
        raise ValidationError(_("This model is retired."), code="retired")


def check_name_is_free(name: str) -> None:
    """Raise unless no model and no alias bears this public name, in any case of letters."""
    taken = AIModel.objects.filter(slug__iexact=name).exists()
    if taken or Alias.objects.filter(name__iexact=name).exists():
        raise ValidationError(
            _("The name “%(name)s” is taken by a model."), code="name_taken", params={"name": name}
        )


can_set_routing = asking(check_set_routing)
can_describe = asking(check_describe)
