"""What is left of the limits that bound a key, as the router counts them now: a part of the key's page."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from federation.access.models import ApiKey, Limit, LimitQuerySet
from federation.people.guards import signed_in
from routing.bridge.load import current_quotas
from routing.core.enums import Measure
from routing.dispatch.messages import Quota


class Row(NamedTuple):
    """A limit, and what is left of it if the router knows; `again_at` is when all of it is."""

    limit: Limit
    quota: Quota | None

    @property
    def again_at(self) -> object:
        if self.quota is None or not self.quota.reset_ms:
            return None
        return timezone.now() + timedelta(milliseconds=self.quota.reset_ms)


@require_safe
@login_required
@never_cache
def quotas(request: HttpRequest, key_id: UUID) -> HttpResponse:
    user = signed_in(request)
    visible = ApiKey.objects.for_user(user).select_related("application")
    key = get_object_or_404(visible, pk=key_id)
    context = what_is_left(key, Limit.objects.for_user(user))
    return render(request, "dashboards/_quotas.html", context)


def what_is_left(key: ApiKey, among: LimitQuerySet) -> dict[str, object]:
    """Return what `_quotas.html` shows of the limits that bound a key, those of `among`."""
    rows, is_away = rows_left(key, among)
    return {"rows": rows, "router_is_away": is_away}


def rows_left(key: ApiKey, among: LimitQuerySet) -> tuple[list[Row], bool]:
    """Return the limits that bound a key with what is left of each, and whether no router could say."""
    bounding = Q(key=key) | Q(application=key.application)
    bounding |= Q(institution=key.application.institution_id)
    limits = among.in_force().filter(bounding)
    limits = limits.select_related("key", "application", "institution")
    left = current_quotas([str(limit.owner.pk) for limit in limits])
    rows = [
        Row(limit, (left or {}).get(str(limit.owner.pk), {}).get(Measure(limit.measure)))
        for limit in sorted(limits, key=_order)
    ]
    return rows, left is None


def _order(limit: Limit) -> tuple[bool, bool, int]:
    """The key's first, then the application's, each in the measures' order."""
    measures = [measure.value for measure in Measure]
    return (
        limit.key_id is None,
        limit.application_id is None,
        measures.index(limit.measure),
    )
