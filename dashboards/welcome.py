"""What the home page tells: the federation's size to anybody, and to a person what to do next."""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, cast
from uuid import UUID

from allauth.mfa.utils import is_mfa_enabled
from django.core.cache import caches
from django.utils import timezone

from billing.enums import Scope
from billing.models import UsageRecord
from billing.periods import last_days
from billing.usage.asked import Asked, scopes
from billing.usage.queries import totals
from billing.usage.rows import Totals
from dashboards.observed import is_stopped, observed
from dashboards.queries import server_cards
from federation.access.models import ApiKey, Application
from federation.access.queries import issuing_institutions
from federation.catalogue.models import AIModel
from federation.fleet.models import InferenceServer
from federation.members.models import Candidacy, Institution
from federation.members.steps import standing_of
from federation.people.enums import Role
from federation.people.models import User
from routing.bridge.load import current_load
from routing.core.enums import Health, ServerState
from routing.core.ids import uuid7_floor

RECENT_DAYS = 30
NUMBERS_FOR_SECONDS = 60
"""Anybody may ask for the home page: the records are counted once a minute at most."""


class Numbers(NamedTuple):
    """Counts that the federation tells anybody; nobody's rows can be read out of them."""

    members: int
    servers: int
    models: int
    requests: int


class ServersNow(NamedTuple):
    """Servers that the reader's pages list; `healthy` is None while the router is away."""

    total: int
    healthy: int | None


class Post(NamedTuple):
    """A role someone holds, and where."""

    role: str
    institution: str


@dataclass(frozen=True)
class Welcome:
    """`may_issue`: whether the person may create keys somewhere; `scope`: whose usage it is.

    The steps are one's own: others' keys and calls, which an administrator sees, take none of them.
    """

    posts: list[Post]
    may_issue: bool
    has_key: bool
    is_protected: bool
    usage: Totals
    scope: Scope
    servers: ServersNow

    runs_servers: bool
    candidacies: list[tuple[Candidacy, str]]
    """Of somebody who can do nothing yet: how one's institution is coming in, each with its state."""

    @property
    def is_set_up(self) -> bool:
        """Whether others' keys are at work already, and one looks after them without an application of one's own."""
        return self.scope == Scope.INSTITUTION and self.has_called

    @property
    def has_called(self) -> bool:
        return self.usage.counts.requests > 0

    @property
    def has_called_oneself(self) -> bool:
        return self.scope == Scope.MINE and self.has_called


def numbers() -> Numbers:
    return cast(Numbers, caches["memory"].get_or_set("home.numbers", _count, NUMBERS_FOR_SECONDS))


def welcome(user: User) -> Welcome:
    scope, may_issue = _scope_of(user), bool(issuing_institutions(user))
    return Welcome(
        posts=_posts(user),
        may_issue=may_issue,
        candidacies=[] if may_issue else _candidacies(user),
        has_key=ApiKey.objects.for_user(user).usable().filter(application__owner=user).exists(),
        is_protected=is_mfa_enabled(user),
        usage=totals(Asked(user, last_days(RECENT_DAYS), scope=scope)),
        scope=scope,
        servers=_servers_now(user),
        runs_servers=Scope.SERVED in scopes(user),
    )


def _scope_of(user: User) -> Scope:
    """One's own applications; for somebody without any, all that was asked for those they look after."""
    if Application.objects.filter(owner=user).exists():
        return Scope.MINE
    return [scope for scope in scopes(user) if scope != Scope.SERVED][-1]


def _candidacies(user: User) -> list[tuple[Candidacy, str]]:
    written = Candidacy.objects.for_editor(user).kept().select_related("membership")
    return [(candidacy, standing_of(candidacy).state) for candidacy in written]


def _count() -> Numbers:
    since = uuid7_floor(timezone.now() - timedelta(days=RECENT_DAYS))
    recent = UsageRecord.objects.filter(id__gte=since)
    return Numbers(
        members=Institution.objects.approved().count(),
        servers=InferenceServer.objects.filter(state=ServerState.LIVE).count(),
        models=AIModel.objects.served().count(),
        requests=recent.count(),
    )


def _posts(user: User) -> list[Post]:
    """Return the roles held, those for the whole federation first."""
    names: dict[UUID | None, str] = dict(
        Institution.objects.filter(pk__in=user.institution_ids()).values_list("pk", "short_name")
    )
    posts = [
        Post(str(Role(grant.role).label), names.get(grant.institution_id, ""))
        for grant in user.grants
    ]
    return sorted(posts, key=lambda post: (post.institution, post.role))


def _servers_now(user: User) -> ServersNow:
    load = current_load()
    cards = [card for card in server_cards(user) if card.in_service]
    if load is None:
        return ServersNow(len(cards), None)
    seen = [observed(card, load) for card in cards if not is_stopped(card, load)]
    return ServersNow(
        len(cards), sum(row is not None and row.health == Health.HEALTHY for row in seen)
    )
