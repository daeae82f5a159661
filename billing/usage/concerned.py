"""Whom the end of a model concerns: who answers for the keys that used it lately (`federation.catalogue.audience`)."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.db.models import Count, Q

from billing.models import UsageRecord, UsageRecordQuerySet
from billing.periods import last_days
from federation.access.models import ApiKey, Application, Trial, managed_by
from federation.access.queries import people_behind_each
from federation.catalogue.audience import DAYS, Audience, Reader
from federation.catalogue.models import AIModel
from federation.people.models import User


def audience_of(model: AIModel, name: str = "") -> Audience:
    """Return who used a model in `DAYS` days, whatever came of the requests; by `name` alone where one is given."""
    requests = dict(
        _used(model, name).values_list("key_id").annotate(requests=Count("pk")).order_by()
    )
    keys = ApiKey.objects.filter(pk__in=requests).select_related("application__institution")
    held: dict[Application, list[ApiKey]] = defaultdict(list)
    for key in keys.order_by("application__name", "name", "pk"):
        held[key.application].append(key)
    people: dict[UUID, User] = {}
    names: dict[UUID, list[str]] = defaultdict(list)
    behind = people_behind_each(held)
    for application, own in held.items():
        for person in behind[application.pk]:
            people[person.pk] = person
            names[person.pk] += [_name(key) for key in own]
    bound = Q(models=model) | Q(pk__in=Trial.objects.in_force().filter(model=model).values("key"))
    named = ApiKey.objects.usable().filter(bound).exclude(pk__in=requests).distinct()
    return Audience(
        readers=[Reader(person, tuple(names[pk])) for pk, person in people.items()],
        used=len(requests),
        named=0 if name else named.count(),
        requests=sum(requests.values()),
    )


def own_keys(user: User, model: AIModel) -> Sequence[str]:
    """Return the names of the keys of one's own applications that used a model in `DAYS` days."""
    applications = Application.objects.for_user(user).filter(managed_by(user))
    keys = ApiKey.objects.filter(application__in=applications).select_related("application")
    used = keys.filter(pk__in=_used(model).of_keys(keys).values("key_id"))
    return [_name(key) for key in used.order_by("application__name", "name", "pk")]


def _used(model: AIModel, name: str = "") -> UsageRecordQuerySet:
    """Requests for a model, also those that its fallback answered; not those for others that it answered."""
    asked = Q(asked_model_id=model.pk) | Q(asked_model_id=None, model_id=model.pk)
    records = UsageRecord.objects.ended_in(last_days(DAYS)).filter(asked)
    return records.filter(model_asked__iexact=name) if name else records


def _name(key: ApiKey) -> str:
    return f"{key.application.name} · {key.name}"
