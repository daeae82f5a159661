"""What the journal's ids stand for, for one reader: a name where they may see the row, else nothing.

The journal holds ids alone. Names are looked up now, through `for_user`; a row that is gone has none.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model
from django.urls import reverse

from billing.models import Acceptance, Contest, CostPool, Invoice, Note
from federation.access.models import ApiKey, Application
from federation.catalogue.models import (
    AIModel,
    Alias,
    MinimumService,
    ModelVersion,
    Proposal,
    RoutingPolicy,
)
from federation.fleet.models import (
    ConformityRun,
    Deployment,
    EgressGrant,
    GuestRules,
    InferenceServer,
    Maintenance,
    Site,
    SiteEgressGrant,
    TechnicalForm,
    UpstreamCredential,
)
from federation.members.models import (
    Agreement,
    Ballot,
    Candidacy,
    Institution,
    Invitation,
    Membership,
    Team,
)
from federation.people.models import User

Reference = tuple[str, str]
"""A kind of object, as the journal has it, and an id."""


class Named(NamedTuple):
    text: str
    url: str = ""


class _Kind(NamedTuple):
    """Where rows of a kind have their name; `route` is the page that whoever sees the row may open."""

    model: type[Model]
    columns: tuple[str, ...]
    route: str = ""


KINDS: dict[str, _Kind] = {
    kind.model._meta.label_lower: kind
    for kind in (
        _Kind(ApiKey, ("name", "application__name"), "key"),
        _Kind(Application, ("name",), "application"),
        _Kind(AIModel, ("slug",), "model"),
        _Kind(ModelVersion, ("model__slug", "revision")),
        _Kind(Alias, ("name", "model__slug")),
        _Kind(RoutingPolicy, ("model__slug",)),
        _Kind(MinimumService, ("model__slug",)),
        _Kind(Proposal, ("model__slug",), "proposal"),
        _Kind(InferenceServer, ("name",), "server_report"),
        _Kind(Site, ("name",)),
        _Kind(SiteEgressGrant, ("network", "site__name")),
        _Kind(ConformityRun, ("server__name",), "run"),
        _Kind(Deployment, ("served_name", "server__name")),
        _Kind(EgressGrant, ("server__name",)),
        _Kind(GuestRules, ("server__name",)),
        _Kind(Maintenance, ("server__name",)),
        _Kind(TechnicalForm, ("server_name",)),
        _Kind(UpstreamCredential, ("server__name",)),
        _Kind(Institution, ("short_name",)),
        _Kind(Membership, ("institution__short_name",)),
        _Kind(Agreement, ("membership__institution__short_name",)),
        _Kind(Candidacy, ("short_name",)),
        _Kind(Ballot, ("subject_name",), "ballot"),
        _Kind(Team, ("name",)),
        _Kind(Invitation, ("email",)),
        _Kind(User, ("name",)),
        _Kind(Invoice, ("number",)),
        _Kind(Contest, ("month", "institution__short_name"), "contest"),
        _Kind(Acceptance, ("month", "institution__short_name")),
        _Kind(Note, ("number", "institution__short_name")),
        _Kind(CostPool, ("year",)),
    )
}
REFERS: Mapping[str, str] = {
    "fallback": "catalogue.aimodel",
    "server": "fleet.inferenceserver",
    "site": "fleet.site",
    "model": "catalogue.aimodel",
    "version": "catalogue.modelversion",
    "application": "access.application",
    "institution": "members.institution",
    "membership": "members.membership",
    "team": "members.team",
    "blocked_institutions": "members.institution",
    "blocked_models": "catalogue.aimodel",
}
"""Fields of a change whose values are ids, and of what."""
REFERS_IN: Mapping[Reference, str] = {
    ("access.apikey", "successor"): "access.apikey",
    ("catalogue.aimodel", "successor"): "catalogue.aimodel",
    ("catalogue.alias", "successor"): "catalogue.aimodel",
}


def kind_of(object_type: str, field: str) -> str:
    """Return the kind of object that a field of a change names, empty when it names none."""
    return REFERS_IN.get((object_type, field)) or REFERS.get(field, "")


def names_of(user: User, references: Iterable[Reference]) -> dict[Reference, Named]:
    """Return the names of what `user` may see among `references`. One query a kind, however many."""
    wanted: dict[str, set[UUID]] = defaultdict(set)
    for kind, text in references:
        if kind in KINDS and (pk := _uuid(text)):
            wanted[kind].add(pk)
    found: dict[Reference, Named] = {}
    for label, ids in wanted.items():
        found |= _names(user, label, KINDS[label], ids)
    return found


def _names(user: User, label: str, kind: _Kind, ids: Collection[UUID]) -> dict[Reference, Named]:
    rows: Any = kind.model._default_manager
    seen = rows.for_user(user).filter(pk__in=ids).values_list("pk", *kind.columns)
    return {
        (label, str(pk)): Named(
            " · ".join(dict.fromkeys(filter(None, map(str, columns)))), _address(kind, pk, columns)
        )
        for pk, *columns in seen
    }


def _address(kind: _Kind, pk: UUID, columns: list[Any]) -> str:
    if not kind.route:
        return ""
    return reverse(kind.route, args=[columns[0] if kind.model is AIModel else pk])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
