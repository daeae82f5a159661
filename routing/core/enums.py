"""Names that the register, the pages and the router share. Values are what the API and the database hold."""

from enum import IntEnum, StrEnum


class PriorityClass(IntEnum):
    """P1…P5; a higher class is served first."""

    P1 = 1
    P2 = 2
    P3 = 3
    P4 = 4
    P5 = 5


class RoutingMode(StrEnum):
    """Where a request may go: anywhere, its institution's own servers first, or only those."""

    ANY = "any"
    PRIVATE_FIRST = "private-first"
    PRIVATE_ONLY = "private-only"


class Strategy(StrEnum):
    """How a server is chosen among those that fit; see `routing.core.selection`."""

    ROUND_ROBIN = "round-robin"
    LEAST_BUSY = "least-busy"
    AFFINITY = "affinity"


class Limiting(StrEnum):
    """What holds requests back before a server: nothing, a given number, its gauges too, or what was learnt."""

    NONE = "none"
    GIVEN = "given"
    STATISTICS = "statistics"
    LEARNT = "learnt"


class RoutingSetting(StrEnum):
    """How the requests for a model are shared out: the three rows of the federation's table, and affinity."""

    ROUND_ROBIN = "round-robin"
    ROUND_ROBIN_REQUEUE = "round-robin-requeue"
    LEAST_BUSY_REQUEUE = "least-busy-requeue"
    AFFINITY = "affinity"


class Lane(StrEnum):
    """By which way a waiting request was let through."""

    OWNER = "owner"
    """Before every guest: a server of its own institution."""
    MINIMUM = "minimum"
    """Its model had fallen below its minimum service, which protects the request's class."""
    SHARE = "share"
    """By the minimum that its class is owed, whatever stands above it."""
    CLASS = "class"
    """The highest class that waited, and in it the institution served least."""
    RETRY = "retry"
    """At the head of its line: the attempt before had failed."""


class Reason(StrEnum):
    """Why this server among those that were free."""

    ONLY_ONE = "only_one"
    """No other may ever serve the request."""
    ONLY_FREE = "only_free"
    TRIAL = "trial"
    """Ejected before: this request found out whether it is back."""
    TURN = "turn"
    LEAST_IN_FLIGHT = "least_in_flight"
    KNOWN_PROMPT = "known_prompt"
    """Cheapest, and it had read the beginning of the prompt before."""
    CHEAPEST = "cheapest"


class LimitScope(StrEnum):
    """Whose limit it is; those of an application and an institution are shared by all their keys."""

    KEY = "key"
    APPLICATION = "application"
    INSTITUTION = "institution"


class Measure(StrEnum):
    """What a limit counts. A minute and a day are always the last 60 seconds and 24 hours."""

    REQUESTS_PER_MINUTE = "requests-per-minute"
    REQUESTS_PER_DAY = "requests-per-day"
    TOKENS_PER_MINUTE = "tokens-per-minute"
    TOKENS_PER_DAY = "tokens-per-day"
    AT_ONCE = "requests-at-once"


class BudgetScope(StrEnum):
    """Whose requests a budget counts; a model's are those that it serves, the federation's all.

    A person's are those of all keys of the applications that they own at an institution.
    """

    KEY = "key"
    APPLICATION = "application"
    PERSON = "person"
    INSTITUTION = "institution"
    MODEL = "model"
    FEDERATION = "federation"


class BudgetUnit(StrEnum):
    """What a budget counts."""

    NANO_EUROS = "nano-euros"
    TOKENS = "tokens"
    REQUESTS = "requests"


class ServerState(StrEnum):
    """What the register says of a server; health is observed apart, by the router.

    One that is submitted takes no request at all: only the checks that let it into staging ask it.
    """

    SUBMITTED = "submitted"
    STAGING = "staging"
    LIVE = "live"
    DRAINING = "draining"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class LifecycleStage(StrEnum):
    """A model's stage. Only staging, production and deprecated models are served."""

    PROPOSED = "proposed"
    STAGING = "staging"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class Health(StrEnum):
    """What the router observes of a server."""

    HEALTHY = "healthy"
    EJECTED = "ejected"
    PROBING = "probing"


class Endpoint(StrEnum):
    """What a request asks a server to do, named after the path below /v1."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    RESPONSES = "responses"
    MESSAGES = "messages"
    TRANSCRIPTIONS = "audio/transcriptions"
    TRANSLATIONS = "audio/translations"
    SPEECH = "audio/speech"
    IMAGES = "images/generations"
    IMAGE_EDITS = "images/edits"
    IMAGE_VARIATIONS = "images/variations"
    OTHER = "other"


class UsageSource(StrEnum):
    """Where a record's counts come from."""

    SERVER = "server"
    COUNTED = "counted"
    ESTIMATED = "estimated"
    NONE = "none"


class Told(StrEnum):
    """What an answer's `usage` may tell of it besides its tokens."""

    IMPACT = "impact"
    CARBON = "carbon"
    """In OpenGateLLM's shape."""


class RequestStatus(StrEnum):
    """How a request ended, as accounted."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    INTERRUPTED = "interrupted"


class MeterFault(StrEnum):
    """Why a meter of energy could not be read; what it told that cannot be is `billing.impact.meters.Fault`."""

    REFUSED = "refused"
    """The egress guard does not let the router there."""
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    """No whole answer came in time."""
    NO_PAGE = "no-page"
    """What answered is no page of metrics."""
    TOO_LARGE = "too-large"
    NO_SERIES = "no-series"
    """The page has no series of this name with these labels."""
    STUCK = "stuck"
    """A counter that stood still for longer than any machine draws nothing."""
