"""Leave for the router to reach the servers of a site in one of its private networks: asked for, given, ended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.fleet import mails, policies
from federation.fleet.enums import SITE_GRANT_TRANSITIONS, SiteGrantState
from federation.fleet.models import Site, SiteEgressGrant
from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.people.enums import Role
from federation.people.models import User
from federation.people.policies import holds, is_federation_admin
from federation.transitions import check_transition
from routing.upstream.ranges import SHORTEST_PREFIX, NotGrantableError, RangeFault, read_range


@dataclass(frozen=True)
class Wish:
    """What is to be reached, and why. `until` is the last day, None for as long as it is needed."""

    network: str
    ports: Collection[int]
    reason: str
    until: date | None = None


@transaction.atomic
def ask_site_egress(*, by: Actor, site: Site, wish: Wish) -> SiteEgressGrant:
    """Ask for it; what the federation itself asks for is in force at once. Raises `ValidationError`."""
    policies.check_ask_egress(by, site)
    person = by if isinstance(by, User) else None
    grants = is_federation_admin(by)
    _check_last_day(wish.until)
    grant = SiteEgressGrant(
        site=site,
        network=_grantable(wish.network),
        ports=sorted(set(wish.ports)),
        reason=wish.reason.strip(),
        until=wish.until,
        state=SiteGrantState.GRANTED if grants else SiteGrantState.ASKED,
        asked_by=person,
        decided_by=person if grants else None,
    )
    grant.full_clean()
    grant.save()
    _record(by, "fleet.ask_site_egress", grant, {"state": grant.state})
    if not grants:
        mails.tell_network_asked(grant)
    return grant


@transaction.atomic
def allow_site_egress(*, by: Actor, grant: SiteEgressGrant) -> SiteEgressGrant:
    """Let the router in. Raises `ValidationError` when it is decided already, or its last day is past."""
    policies.check_grant_egress(by)
    locked = _moved(by, grant, SiteGrantState.GRANTED)
    _check_last_day(locked.until)
    locked.decided_by = by if isinstance(by, User) else None
    locked.save(update_fields=["state", "decided_by"])
    _record(by, "fleet.allow_site_egress", locked, {"state": locked.state})
    mails.tell_network_decided(locked)
    return locked


@transaction.atomic
def decline_site_egress(*, by: Actor, grant: SiteEgressGrant, answer: str) -> SiteEgressGrant:
    """Do not let the router in, and say why."""
    policies.check_grant_egress(by)
    locked = _moved(by, grant, SiteGrantState.DECLINED)
    if not answer.strip():
        raise ValidationError({"answer": _("Say why.")})
    locked.answer, locked.ended_at = answer.strip(), timezone.now()
    locked.decided_by = by if isinstance(by, User) else None
    locked.full_clean()
    locked.save(update_fields=["state", "answer", "ended_at", "decided_by"])
    _record(by, "fleet.decline_site_egress", locked, {"state": locked.state})
    mails.tell_network_decided(locked)
    return locked


@transaction.atomic
def withdraw_site_egress(*, by: Actor, grant: SiteEgressGrant) -> SiteEgressGrant:
    """End it, or take the wish back: no connection is opened there from then on, and none is kept."""
    policies.check_withdraw_site_egress(by, grant)
    locked = _moved(by, grant, SiteGrantState.WITHDRAWN)
    locked.ended_at = timezone.now()
    locked.save(update_fields=["state", "ended_at"])
    _record(by, "fleet.withdraw_site_egress", locked, {"state": locked.state})
    if not holds(by, locked.site.institution_id, Role.MEMBER_DSI):
        mails.tell_network_ended(locked)
    return locked


def _moved(by: Actor, grant: SiteEgressGrant, state: SiteGrantState) -> SiteEgressGrant:
    """Return the row, held and in its next state, not yet written."""
    rows = SiteEgressGrant.objects.select_related("site__institution")
    locked = rows.select_for_update(of=("self",)).get(pk=grant.pk)
    check_transition(SITE_GRANT_TRANSITIONS, SiteGrantState(locked.state), state)
    locked.state = state.value
    return locked


def _check_last_day(until: date | None) -> None:
    if until is not None and until < timezone.localdate():
        raise ValidationError({"until": _("This day is past.")})


def _grantable(text: str) -> str:
    """Return the network in its one spelling. Raises `ValidationError`."""
    try:
        return str(read_range(text.strip()))
    except NotGrantableError as refusal:
        raise ValidationError({"network": _fault(refusal.fault)}) from None


def _fault(fault: RangeFault) -> str:
    match fault:
        case RangeFault.NO_NETWORK:
            return _(
                "This is not a network such as 10.2.0.0/24: an address, a slash, and the number of its "
                "bits, those after them zero."
            )
        case RangeFault.NOT_PRIVATE:
            return _(
                "Only private networks are allowed: within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "
                "100.64.0.0/10 or fc00::/7. A public address needs no leave."
            )
        case RangeFault.TOO_LARGE:
            return _(
                "At most a /%(four)s of IPv4 or a /%(six)s of IPv6: say where your servers are."
            ) % {
                "four": SHORTEST_PREFIX[4],
                "six": SHORTEST_PREFIX[6],
            }


def _record(by: Actor, verb: str, grant: SiteEgressGrant, diff: dict[str, object]) -> None:
    record(
        by=by,
        verb=verb,
        obj=grant,
        institution=grant.site.institution,
        diff={"site": grant.site_id, "network": grant.network, "ports": grant.ports, **diff},
    )
