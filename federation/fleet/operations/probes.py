"""The meter of a server's energy: named, replaced as a whole, ended."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.fleet import policies
from federation.fleet.models import EnergyProbe, InferenceServer
from federation.fleet.models.probes import MOST_LABELS
from federation.fleet.operations.servers import locked_server
from federation.fleet.report_words import REASONS
from federation.journal.actors import Actor
from federation.journal.operations import record
from routing.upstream.addresses import canonical, reason_against
from routing.upstream.egress import parse_base_url
from routing.upstream.errors import GRANTABLE, EgressRefused

LONGEST_LABEL = 200
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")


class Described(TypedDict):
    """A meter as its owner describes it (`EnergyProbe`)."""

    url: str
    metric: str
    labels: Mapping[str, str]
    unit: str
    scope: str
    multiplier: Decimal
    idle_w: Decimal
    limit_w: Decimal | None


@transaction.atomic
def set_probe(*, by: Actor, server: InferenceServer, described: Described) -> EnergyProbe:
    """Have this meter read, in the place of the one before. Raises `ValidationError`.

    Where it is read is decided by the router's egress guard each time, with what is granted to the server.
    """
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    _check_labels(described["labels"])
    probe = EnergyProbe(server=locked, **{**described, "url": _canonical(described["url"])})
    probe.full_clean(validate_constraints=False)
    if described["limit_w"] is not None and described["limit_w"] < described["idle_w"]:
        raise ValidationError({"limit_w": _("Not less than it draws without work.")})
    _check_share(probe)
    before = probe_of(locked)
    if before is not None:
        if described_by(before) == described_by(probe):
            return before
        _end(before)
    probe.save()
    record(
        by=by,
        verb="fleet.set_probe",
        obj=probe,
        institution=locked.institution,
        diff={"server": locked.pk, **described_by(probe)},
    )
    return probe


@transaction.atomic
def end_probe(*, by: Actor, server: InferenceServer) -> None:
    """Have the server's meter read no more; without one, nothing happens. What it has told stays."""
    locked = locked_server(server)
    policies.check_manage_server(by, locked)
    probe = probe_of(locked)
    if probe is None:
        return
    _end(probe)
    record(
        by=by,
        verb="fleet.end_probe",
        obj=probe,
        institution=locked.institution,
        diff={"server": locked.pk},
    )


def probe_of(server: InferenceServer) -> EnergyProbe | None:
    """Return the meter that is read of a server."""
    return EnergyProbe.objects.in_force().filter(server=server).first()


def described_by(probe: EnergyProbe) -> Described:
    return Described(
        url=probe.url,
        metric=probe.metric,
        labels=dict(probe.labels),
        unit=probe.unit,
        scope=probe.scope,
        multiplier=probe.multiplier.normalize(),
        idle_w=probe.idle_w.normalize(),
        limit_w=probe.limit_w.normalize() if probe.limit_w is not None else None,
    )


def _check_share(probe: EnergyProbe) -> None:
    """What several servers read as theirs is shared by their multipliers: nothing of it is counted twice."""
    same = EnergyProbe.objects.in_force().exclude(server=probe.server)
    same = same.filter(url=probe.url, metric=probe.metric, labels=probe.labels)
    others = list(same.select_related("server"))
    if others and sum(each.multiplier for each in others) + probe.multiplier > 1:
        said = {"server": others[0].server.name}
        text = _(
            "“%(server)s” reads the same meter: together the multipliers of both are at most 1, each the part that is "
            "its own."
        )
        raise ValidationError({"multiplier": text % said})


def _end(probe: EnergyProbe) -> None:
    probe.ended_at = timezone.now()
    probe.save(update_fields=["ended_at"])


def _canonical(text: str) -> str:
    """Return the address as it is stored. Raises `ValidationError` on one to which nobody can give leave."""
    try:
        target = parse_base_url(text.strip())
    except EgressRefused as refusal:
        raise ValidationError({"url": str(refusal)}) from None
    try:
        reason = reason_against(canonical(target.host))
    except ValueError:
        return target.url  # a name: what it leads to is seen by the router, whose DNS counts
    if reason is not None and reason not in GRANTABLE:
        told = _("The router never connects to %(address)s: %(reason)s.")
        raise ValidationError({"url": told % {"address": target.host, "reason": REASONS[reason]}})
    return target.url


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > MOST_LABELS:
        raise ValidationError({"labels": _("At most %(count)s labels.") % {"count": MOST_LABELS}})
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or len(value) > LONGEST_LABEL or not value.isprintable():
            raise ValidationError(
                {"labels": _("“%(name)s” is no label of a metric.") % {"name": name[:40]}}
            )
