"""The router's table, section by section, from the register: whole sections, a constant number of queries each.

It follows the register to the letter: who is approved, what is served, what is live. What changes by the clock
alone (a key's expiry) is in the rows, and the router's to decide.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from billing.budgeting.standing import names_of
from billing.models import (
    THE_FEDERATION,
    Budget,
    EnergyCalibration,
    PriceVersion,
    holder_id,
)
from federation.access.models import ApiKey, Application, Limit, Trial, scope_of
from federation.catalogue.models import AIModel, Alias, MinimumService, ModelVersion, RoutingPolicy
from federation.fleet.calendar import GuestHours, ceilings
from federation.fleet.models import (
    Deployment,
    EnergyProbe,
    GuestRules,
    InferenceServer,
)
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from routing.bridge.ends import end_of, ends_of_aliases, names_gone
from routing.bridge.machines import machine_of, probe_row
from routing.bridge.models import RoutingChange
from routing.bridge.reaching import Reach, reaches
from routing.core import table
from routing.core.enums import (
    BudgetScope,
    BudgetUnit,
    LifecycleStage,
    Limiting,
    Measure,
    RoutingMode,
    RoutingSetting,
    ServerState,
    Strategy,
)
from routing.core.labels import data_class, site_labels
from routing.core.pricing import FREE, Price
from routing.core.table import SECTIONS, NamesSection, PrincipalsSection, Section, ServersSection
from routing.upstream.engines import engine_named

OWNER_UNKNOWN = "unknown"
"""For `owned_by`, which clients expect to be a text, of a model whose publisher the catalogue does not name."""

NAMED = frozenset({BudgetScope.APPLICATION, BudgetScope.INSTITUTION, BudgetScope.MODEL})
"""Whose budgets a refusal tells by their name: a key's is its owner's own word, and no person has one there."""


def read_versions() -> dict[str, int]:
    """Return each section's version: the id of its last change, 1 before the first."""
    last = RoutingChange.objects.values_list("section").annotate(Max("pk"))
    return dict.fromkeys(SECTIONS, 1) | dict(last.order_by())


def read_sections(names: Iterable[str] = SECTIONS) -> list[Section]:
    """Return sections, and their versions, as of one moment. Not inside a transaction."""
    with one_moment():
        versions = read_versions()
        return [BUILDERS[name](versions[name]) for name in names]


@contextmanager
def one_moment() -> Iterator[None]:
    """What is read inside is one state of the database, whatever is committed meanwhile."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def build_principals(version: int) -> PrincipalsSection:
    """Every key that is usable now, of an approved member, under its digest; of others the digest alone."""
    members = Membership.objects.filter(state=MembershipState.APPROVED)
    keys = ApiKey.objects.usable().filter(
        application__institution__in=members.values("institution")
    )
    chosen = _gathered(
        ApiKey.models.through.objects.filter(apikey__in=keys)
        .order_by("aimodel_id")
        .values_list("apikey_id", "aimodel_id")
    )
    tried = Trial.objects.in_force().filter(key__in=keys).order_by("model_id")
    trials = _gathered(tried.values_list("key_id", "model_id"))
    rows = list(keys.select_related("application__institution").order_by("pk"))
    found = {
        key.digest: table.Principal(
            key_id=str(key.pk),
            institution_id=str(key.application.institution_id),
            application_id=str(key.application_id),
            priority=key.priority,
            routing_mode=RoutingMode(key.routing_mode),
            models=tuple(map(str, chosen[key.pk])) if key.pk in chosen else None,
            expires_at=key.expires_at.timestamp() if key.expires_at else None,
            origins=tuple(key.origins),
            answers_200_when_full=key.answers_200_when_full,
            threshold=key.threshold,
            endpoints=tuple(key.endpoints) or None,
            networks=tuple(key.networks),
            labels=data_class(key.labels),
            trials=tuple(map(str, trials.get(key.pk, ()))),
            holder_id=_holder(key.application),
            tells=tuple(key.tells),
        )
        for key in rows
    }
    institutions = {row.application.institution for row in rows}
    return PrincipalsSection(
        version=version,
        by_digest=found,
        limits=_limits(found.values()),
        budgets=_budgets(),
        institutions={each.slug: str(each.pk) for each in institutions},
        suspended=frozenset(
            ApiKey.objects.usable()
            .exclude(application__institution__in=members.values("institution"))
            .values_list("digest", flat=True)
        ),
    )


def _holder(application: Application) -> str:
    owner, institution = application.owner_id, application.institution_id
    return str(holder_id(owner, institution)) if owner else ""


def _limits(principals: Iterable[table.Principal]) -> dict[str, tuple[table.Limit, ...]]:
    """Return the limits that bound any of these, by whose they are. A key's name is its owner's own word."""
    known = {
        owner
        for each in principals
        for owner in (each.key_id, each.application_id, each.institution_id)
    }
    found: dict[str, tuple[table.Limit, ...]] = {}
    rows = Limit.objects.in_force().select_related("key", "application", "institution")
    for row in rows.order_by("pk"):
        owner = row.owner
        if (pk := str(owner.pk)) in known:
            limit = table.Limit(
                scope=scope_of(owner),
                measure=Measure(row.measure),
                most=row.most,
                name="" if isinstance(owner, ApiKey) else str(owner),
            )
            found[pk] = (*found.get(pk, ()), limit)
    return found


def _budgets() -> dict[str, tuple[table.Budget, ...]]:
    """Return the hard budgets by whose they are. Soft ones are none of the router's."""
    rows = list(Budget.objects.in_force().filter(hard=True))
    names = names_of(row for row in rows if row.scope in NAMED)
    found: dict[str, tuple[table.Budget, ...]] = {}
    for row in rows:
        owner = table.FEDERATION if row.scope_id == THE_FEDERATION else str(row.scope_id)
        budget = table.Budget(
            id=str(row.pk),
            scope=BudgetScope(row.scope),
            unit=BudgetUnit(row.unit),
            name=names.get(row.scope_id, ""),
        )
        found[owner] = (*found.get(owner, ()), budget)
    return found


def build_names(version: int) -> NamesSection:
    """Every model that is served under its names, with what runs it; one that nobody runs stays listed."""
    served = AIModel.objects.served()
    contexts = dict(
        ModelVersion.objects.filter(model__in=served, current=True).values_list(
            "model_id", "context_length"
        )
    )
    policies = {
        policy.model_id: policy
        for policy in RoutingPolicy.objects.current().filter(model__in=served)
    }
    minimums = {
        row.model_id: row for row in MinimumService.objects.in_force().filter(model__in=served)
    }
    read = EnergyProbe.objects.in_force().values("pk")
    calibrations = {
        row.deployment_id: row
        for row in EnergyCalibration.objects.filter(probe_id__in=read).newest()
    }
    running: dict[UUID, list[table.Deployment]] = defaultdict(list)
    for row in _deployments().select_related("version__model", "server__site").order_by("pk"):
        running[row.version.model_id].append(_deployment(row, calibrations.get(row.pk)))
    prices = {price.model_id: price for price in PriceVersion.objects.at(timezone.now())}
    models = {
        str(model.pk): _model(
            model,
            prices.get(model.pk),
            contexts.get(model.pk),
            policies.get(model.pk) or RoutingPolicy(model=model),
            tuple(running[model.pk]),
            minimums.get(model.pk),
        )
        for model in served.select_related("successor").order_by("pk")
    }
    aliases = Alias.objects.in_force().filter(model__in=served).order_by("pk")
    ending = aliases.select_related("successor", "model__successor")
    names = {name.lower(): str(pk) for name, pk in aliases.values_list("name", "model_id")}
    names |= {model.name.lower(): key for key, model in models.items()}
    return NamesSection(
        version=version,
        names=table.Names(
            models=models, aliases=names, ends=ends_of_aliases(ending), gone=names_gone()
        ),
    )


def build_servers(version: int) -> ServersSection:
    """Every server that an approved contributor has in the register, but those submitted and those retired."""
    servers = _servers()
    reach = reaches(servers)
    rules = {
        row.server_id: _guest_rules(row)
        for row in GuestRules.objects.filter(server__in=servers).prefetch_related(
            "blocked_institutions", "blocked_models"
        )
    }
    probes = {row.server_id: row for row in EnergyProbe.objects.in_force()}
    found = {
        str(server.pk): server_row(
            server, reach(server), rules.get(server.pk), probes.get(server.pk)
        )
        for server in servers.select_related("site__institution").order_by("pk")
    }
    weights = Institution.objects.exclude(weight=1).values_list("pk", "weight")
    return ServersSection(
        version=version,
        servers=found,
        weights={str(institution): float(weight) for institution, weight in weights},
    )


SETTINGS: Mapping[RoutingSetting, tuple[Strategy, Limiting]] = {
    RoutingSetting.ROUND_ROBIN: (Strategy.ROUND_ROBIN, Limiting.NONE),
    RoutingSetting.ROUND_ROBIN_REQUEUE: (Strategy.ROUND_ROBIN, Limiting.GIVEN),
    RoutingSetting.LEAST_BUSY_REQUEUE: (Strategy.LEAST_BUSY, Limiting.STATISTICS),
    RoutingSetting.AFFINITY: (Strategy.AFFINITY, Limiting.LEARNT),
}
"""How a server is chosen, and what holds requests back before it."""

BUILDERS: Mapping[str, Callable[[int], Section]] = {
    "principals": build_principals,
    "names": build_names,
    "servers": build_servers,
}


def _servers() -> QuerySet[InferenceServer]:
    contributors = Membership.objects.filter(state=MembershipState.APPROVED, is_contributor=True)
    return (
        InferenceServer.objects.present()
        .exclude(state=ServerState.SUBMITTED)
        .filter(site__institution__in=contributors.values("institution"))
    )


def _deployments() -> QuerySet[Deployment]:
    return Deployment.objects.live().filter(server__in=_servers())


def _deployment(row: Deployment, calibration: EnergyCalibration | None) -> table.Deployment:
    return table.Deployment(
        id=str(row.pk),
        server_id=str(row.server_id),
        served_name=row.served_name,
        endpoints=tuple(row.endpoints) or engine_named(row.server.engine).endpoints,
        machine=machine_of(row, calibration),
    )


def _model(
    model: AIModel,
    price: PriceVersion | None,
    context: int | None,
    policy: RoutingPolicy,
    deployments: tuple[table.Deployment, ...],
    minimum: MinimumService | None,
) -> table.Model:
    strategy, limiting = SETTINGS[RoutingSetting(policy.setting)]
    return table.Model(
        id=str(model.pk),
        name=model.slug,
        stage=LifecycleStage(model.stage),
        created=int(model.created_at.timestamp()),
        owned_by=model.publisher or OWNER_UNKNOWN,
        strategy=strategy,
        limiting=limiting,
        shares={level.value: per_cent / 100 for level, per_cent in policy.shares.items()},
        longest_wait_seconds=policy.longest_wait,
        forward_priority=policy.forward_priority,
        max_model_len=context,
        capabilities=tuple(model.capabilities),
        deployments=deployments,
        end=end_of(model),
        minimum=_minimum(minimum) if minimum else None,
        price=_price(price) if price else FREE,
    )


def _price(row: PriceVersion) -> Price:
    """As `billing.ledger.posting` reads it: what is not sold is free, a cached token costs what any prompt's does."""
    prompt = row.prompt_nano or 0
    return Price(
        prompt=prompt,
        cached=prompt if row.cached_nano is None else row.cached_nano,
        completion=row.completion_nano or 0,
        embedding=row.embedding_nano or 0,
        audio_second=row.audio_second_nano or 0,
        image=row.image_nano or 0,
    )


def _minimum(row: MinimumService) -> table.Minimum:
    return table.Minimum(
        servers=row.servers,
        sites=row.sites,
        protected_class=row.protected_class,
        fallback_id=str(row.fallback_id) if row.fallback_id else None,
    )


def server_row(
    server: InferenceServer,
    reach: Reach,
    guests: table.GuestRules | None,
    probe: EnergyProbe | None = None,
) -> table.Server:
    """Return a server as the router knows it."""
    return table.Server(
        id=str(server.pk),
        name=server.name,
        institution_id=str(server.institution.pk),
        institution=server.institution.short_name,
        site=server.site.name,
        engine=server.engine,
        base_url=server.base_url,
        state=ServerState(server.state),
        credential=reach.credential,
        max_parallel=server.max_parallel,
        ca_bundle=server.ca_bundle or None,
        grants=reach.grants,
        client_chain=reach.client_chain,
        client_key=reach.client_key,
        guests=guests,
        labels=site_labels(server.site.labels),
        probe=probe_row(probe, server) if probe else None,
        held_since=server.held_since.timestamp() if server.held_since else None,
    )


def _guest_rules(row: GuestRules) -> table.GuestRules:
    return table.GuestRules(
        institutions=frozenset(str(each.pk) for each in row.blocked_institutions.all()),
        models=frozenset(str(each.pk) for each in row.blocked_models.all()),
        lowest_class=row.lowest_class,
        ceilings=ceilings(map(GuestHours.from_json, row.hours)),
    )


def _gathered(pairs: Iterable[tuple[UUID, UUID]]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
