"""Who is told that a critical model is below its minimum, and that it is back; and what they are told.

Not here: when (`routing.bridge.minimums`).
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from federation.catalogue.models import AIModel, MinimumServiceAlarm
from federation.fleet.mails import it_department
from federation.fleet.models import Deployment
from federation.members.models import Institution
from federation.members.queries import committee
from federation.people.letters import Letter, Wording, page_address
from federation.people.models import User
from federation.people.post import post_each, withdraw

NEWS = timedelta(hours=1)
"""From a beginning, or an end, on: then it is no news any more, and stands on the page of the model."""


def readers_of(model: AIModel) -> list[User]:
    """Return the federation's administrators and the IT departments that run servers of the model, each once."""
    serving = Deployment.objects.live().filter(version__model=model)
    institutions = Institution.objects.filter(pk__in=serving.values("server__site__institution"))
    readers = {reader.pk: reader for reader in committee()}
    for institution in institutions:
        readers |= {reader.pk: reader for reader in it_department(institution)}
    return list(readers.values())


def tell_fall(alarm: MinimumServiceAlarm) -> None:
    """Tell of the beginning, inside the transaction that notes it, and write down whom."""
    told = _tell(alarm, readers_of(alarm.model), partial(_fell, alarm))
    alarm.told_fall = [reader.pk for reader in told]
    alarm.save(update_fields=["told_fall"])


def tell_return(alarm: MinimumServiceAlarm) -> None:
    """Tell of the end who heard of the beginning, and write down whom. Whose first letter has not left gets none."""
    unheard = withdraw(_topic(alarm))
    alarm.told_fall = [pk for pk in alarm.told_fall if pk not in unheard]
    told = _tell(alarm, User.objects.filter(pk__in=alarm.told_fall), partial(_returned, alarm))
    alarm.told_return = [reader.pk for reader in told]
    alarm.save(update_fields=["told_fall", "told_return"])


def _tell(alarm: MinimumServiceAlarm, readers: Iterable[User], wording: Wording) -> list[User]:
    return post_each(readers, wording, topic=_topic(alarm), until=timezone.now() + NEWS)


def _topic(alarm: MinimumServiceAlarm) -> str:
    return f"minimum:{alarm.pk}"


def _fell(alarm: MinimumServiceAlarm) -> Letter:
    model, minimum = alarm.model, alarm.minimum
    name = model.display_name
    began = date_format(timezone.localtime(alarm.began_at), "SHORT_DATETIME_FORMAT")
    servers = {"count": alarm.servers, "least": minimum.servers}
    sites = {"count": alarm.sites, "least": minimum.sites}
    refusing = _(
        "Until it has them again, requests below class P%(level)s that cannot start at once are refused, so "
        "that the others are served."
    ) % {"level": minimum.protected_class}
    if minimum.fallback is not None:
        instead = _("Should no server be left, %(name)s answers in its place.")
        refusing = f"{refusing} {instead % {'name': minimum.fallback.display_name}}"
    return Letter(
        _("%(name)s is below its minimum service") % {"name": name},
        (
            _(
                "Since %(began)s, %(name)s has had fewer healthy servers than the federation needs of it."
            )
            % {"began": began, "name": name},
            _("Servers: %(count)s of %(least)s") % servers
            + "\n"
            + _("Sites: %(count)s of %(least)s") % sites,
            refusing,
            _("Which servers are missing stands on the page of the model:"),
            page_address("model", model.slug),
        ),
    )


def _returned(alarm: MinimumServiceAlarm) -> Letter:
    assert alarm.ended_at is not None  # the caller has ended it
    name = alarm.model.display_name
    ended = date_format(timezone.localtime(alarm.ended_at), "SHORT_DATETIME_FORMAT")
    again = _("%(name)s has had its minimum service again since %(ended)s.")
    below = _("It was below for %(duration)s.")
    duration = timesince(alarm.began_at, alarm.ended_at)
    return Letter(
        _("%(name)s has its minimum service again") % {"name": name},
        (
            f"{again % {'name': name, 'ended': ended}} {below % {'duration': duration}}",
            _("The page of the model:"),
            page_address("model", alarm.model.slug),
        ),
    )
