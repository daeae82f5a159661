"""The frozen table from which the router decides: who may ask, what is asked for, who serves it.

Built by the clerk from the register, sent section by section, replaced whole and never edited. It holds ids,
digests, limits and the names of
institutions and applications: no person's name, no text. A `Table` is the router's view of the newest sections.
"""

import msgspec

from routing.core.enums import (
    BudgetScope,
    BudgetUnit,
    LifecycleStage,
    Limiting,
    LimitScope,
    Measure,
    RoutingMode,
    ServerState,
    Strategy,
)
from routing.core.pricing import FREE, Price

HOURS_OF_A_WEEK = 168
OPEN_STAGES = frozenset({LifecycleStage.PRODUCTION, LifecycleStage.DEPRECATED})
"""In which a model is every key's that names none; on trial it is only theirs that were named for it."""
SERVED_STAGES = OPEN_STAGES | {LifecycleStage.STAGING}


class Principal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who a key stands for. `models` is None when every model in production is allowed."""

    key_id: str
    institution_id: str
    application_id: str
    priority: int
    routing_mode: RoutingMode = RoutingMode.ANY
    models: tuple[str, ...] | None = None
    expires_at: float | None = None
    origins: tuple[str, ...] = ()
    answers_200_when_full: bool = False
    threshold: int | None = None
    """A request is refused at once when more than so many wait for its model."""
    endpoints: tuple[str, ...] | None = None
    """Paths below /v1 that it may ask, None for all; `/v1/models` is always among them."""
    networks: tuple[str, ...] = ()
    """Where it may come from, such as `192.0.2.0/24`; empty for anywhere."""
    labels: tuple[str, ...] = ()
    """What every site that serves it must carry (`routing.core.labels`)."""
    trials: tuple[str, ...] = ()
    """Models that it may ask besides, as they were given to it for a trial."""
    holder_id: str = ""
    """For budgets: who owns its application, by an id that says nothing else; empty where nobody does."""

    tells: tuple[str, ...] = ()
    """What its answers' `usage` tells (`routing.core.enums.Told`) whether or not a request asks for it."""

    def may_use(self, model: "Model") -> bool:
        """Say whether the key may use a model: those that it names, else every model open to all; and its trials."""
        if self.models is None and model.stage in OPEN_STAGES:
            return True
        return model.id in self.trials or (self.models is not None and model.id in self.models)


class Limit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The most that a key, an application or an institution may use. `name` is empty for a key: it is "this key"."""

    scope: LimitScope
    measure: Measure
    most: int
    name: str = ""


FEDERATION = "federation"
"""Whose the budgets are that count every request."""


class Budget(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A hard budget: what it leaves comes apart (`routing.core.budgets`). A key's and a person's have no `name`."""

    id: str
    scope: BudgetScope
    unit: BudgetUnit
    name: str = ""


class Machine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a deployment's energy is reckoned from (`billing.impact`); a None is not known.

    Parameters in 10⁹, `bits` of one as stored, `gpu` a code of `billing.impact.hardware`, `factors` the name of the
    site's factor set.
    """

    params: float | None = None
    active: float | None = None
    bits: float | None = None
    gpu: str | None = None
    gpus: int | None = None
    pue_milli: int | None = None
    factors: str = ""
    calibration: float | None = None
    """Measured over modelled, where a meter has told it; `calibrated_scope` says what that meter saw."""
    calibrated_scope: str = ""


class Deployment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A model version served by a server, under the name that this server knows."""

    id: str
    server_id: str
    served_name: str
    endpoints: tuple[str, ...] = ()
    """Paths below /v1 that the server was declared to answer; empty when unknown."""
    machine: Machine = Machine()


class End(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """That a name is on its way out, or gone. Moments are epoch seconds; `successor` is a public name.

    `of_alias`: the model that it stood for may well stay.
    """

    announced_at: int | None = None
    at: int | None = None
    successor: str | None = None
    of_alias: bool = False


class Minimum(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a critical model must not fall below: healthy servers that are open to all, and distinct sites of theirs.

    Below it, `protected_class` and those above are served before all others; with nobody left, another model is.
    """

    servers: int
    sites: int
    protected_class: int
    fallback_id: str | None = None


class Model(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A public model and where it runs. `name` is what clients put in `model`."""

    id: str
    name: str
    stage: LifecycleStage
    created: int
    owned_by: str
    strategy: Strategy = Strategy.AFFINITY
    limiting: Limiting = Limiting.LEARNT
    shares: dict[int, float] | None = None
    """What each lower class gets of all that is served, at least, while it waits; None for the usual."""
    longest_wait_seconds: int | None = None
    forward_priority: bool = False
    """Whether servers that know priorities, lowest first, are told the class."""
    max_model_len: int | None = None
    capabilities: tuple[str, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    end: End | None = None
    minimum: Minimum | None = None
    """None for a model that is not critical."""
    price: Price = FREE
    """In force when the section was made; it is made anew when another begins."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Public names: models by id, and every name or alias (lower case) → model id."""

    models: dict[str, Model]
    aliases: dict[str, str]
    ends: dict[str, End] = {}
    """Of aliases, in lower case, that end before their model does."""
    gone: dict[str, End] = {}
    """Names, in lower case, that were answered once."""


class GuestRules(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a server's owner allows the requests of other institutions."""

    institutions: frozenset[str] = frozenset()
    """Those that are not served."""
    models: frozenset[str] = frozenset()
    """Those that are served to the owner alone."""
    lowest_class: int = 1
    ceilings: tuple[int | None, ...] = ()
    """Guests' requests at once for each hour of the week in Paris, from Monday 0:00; empty for any number."""


class Probe(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A meter of a server's energy, on a page of Prometheus text. `unit` and `scope` as `billing.impact` has them.

    labels      what a series of the metric must carry, (name, value); all that do are summed
    multiplier  by which the metric is corrected
    idle_w      what all that the meter sees draws without work, W
    limit_w     the most that it can draw, W
    """

    id: str
    url: str
    metric: str
    unit: str
    scope: str
    labels: tuple[tuple[str, str], ...] = ()
    multiplier: float = 1.0
    idle_w: float = 0.0
    limit_w: float


class Server(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An inference server. `credential` is sealed for this id (`routing.upstream.credentials`)."""

    id: str
    name: str
    institution_id: str
    institution: str
    site: str
    engine: str
    base_url: str
    state: ServerState
    credential: str | None = None
    max_parallel: int | None = None
    ca_bundle: str | None = None
    grants: tuple[tuple[str, int], ...] = ()
    """Addresses (IP, port) beyond the public Internet that the federation allowed for it; with a prefix length,
    private networks of its site."""
    client_chain: str | None = None
    """The certificate, PEM with its intermediates, that the router shows to it."""
    client_key: str | None = None
    """That certificate's key, sealed for this id."""
    guests: GuestRules | None = None
    labels: frozenset[str] = frozenset()
    """Of its site, in normal form (`routing.core.labels`)."""
    probe: Probe | None = None
    held_since: float | None = None
    """When its present job came, Unix seconds, of a server that comes and goes with jobs."""


class PrincipalsSection(msgspec.Struct, frozen=True, kw_only=True, tag="principals"):
    version: int
    by_digest: dict[str, Principal]
    """Keys are the hexadecimal HMAC-SHA-256 of the whole key under the pepper."""
    limits: dict[str, tuple[Limit, ...]] = {}
    """By the id of whose they are."""
    budgets: dict[str, tuple[Budget, ...]] = {}
    """The hard ones, by the id of whose they are; `FEDERATION` for those of all."""
    institutions: dict[str, str] = {}
    """Short identifier → id, of those that have keys: for operators who have no database at hand."""
    suspended: frozenset[str] = frozenset()
    """Digests of keys that are in force themselves, of institutions that are no members at present."""


class NamesSection(msgspec.Struct, frozen=True, kw_only=True, tag="names"):
    version: int
    names: Names


class ServersSection(msgspec.Struct, frozen=True, kw_only=True, tag="servers"):
    """`weights`: institutions' shares against others of the same class, where they are not 1."""

    version: int
    servers: dict[str, Server]
    weights: dict[str, float] = {}


Section = PrincipalsSection | NamesSection | ServersSection
SECTIONS: tuple[str, ...] = ("principals", "names", "servers")


def section_name(section: Section) -> str:
    """Return the name under which `section` is versioned and stored."""
    return str(section.__struct_config__.tag)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The newest sections together. A missing section reads as empty with version 0."""

    principals: PrincipalsSection = PrincipalsSection(version=0, by_digest={})
    names: NamesSection = NamesSection(version=0, names=Names(models={}, aliases={}))
    servers: ServersSection = ServersSection(version=0, servers={})

    def replaced(self, section: Section) -> "Table":
        """Return this table with `section` in the place of its predecessor."""
        return msgspec.structs.replace(self, **{section_name(section): section})

    @property
    def versions(self) -> dict[str, int]:
        return {name: getattr(self, name).version for name in SECTIONS}

    @property
    def complete(self) -> bool:
        """Whether every section has been received once: the router may serve."""
        return all(self.versions.values())

    def model_named(self, name: str) -> Model | None:
        """Return the model behind a public name or alias, whatever its case."""
        model_id = self.names.names.aliases.get(name) or self.names.names.aliases.get(name.lower())
        return self.names.names.models.get(model_id) if model_id else None


EMPTY = Table()
