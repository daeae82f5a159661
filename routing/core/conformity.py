"""What a conformity run looks at, what it can find, and the messages that carry both. No input or output.

A run asks one server, by the way that requests take, whether it does what its owner declared. Findings are codes
with figures of our own: never a text that a server sent.
"""

from enum import StrEnum

import msgspec

from routing.core.table import Server

Figures = dict[str, int | float | str]


class RunKind(StrEnum):
    """`CONFORMITY` compares a server with what is declared; `REPLAY` has it answer a fixed set of prompts."""

    CONFORMITY = "conformity"
    REPLAY = "replay"


class Check(StrEnum):
    """One line of a report, in the order in which they are made."""

    DNS = "dns"
    CONNECTION = "connection"
    TLS = "tls"
    AUTHENTICATION = "authentication"
    MODEL = "model"
    STREAMING = "streaming"
    STREAM_USAGE = "stream_usage"
    CONTEXT = "context"
    TOOLS = "tools"
    JSON_SCHEMA = "json_schema"
    IMAGES = "images"
    EMBEDDINGS = "embeddings"
    AUDIO = "audio"
    METRICS = "metrics"
    SPEED_ALONE = "speed_alone"
    SPEED_TOGETHER = "speed_together"
    PEERS = "peers"
    REPLAY_FRENCH = "replay_french"
    REPLAY_ENGLISH = "replay_english"
    REPLAY_CONVERSATION = "replay_conversation"
    REPLAY_CODE = "replay_code"
    REPLAY_SIGNS = "replay_signs"
    REPLAY_LIMIT = "replay_limit"
    REPLAY_STREAM = "replay_stream"
    REPLAY_BAD_REQUEST = "replay_bad_request"


REPLAYS = tuple(check for check in Check if check.startswith("replay_"))
CONFORMITY = tuple(check for check in Check if check not in REPLAYS)
CHECKS = {RunKind.CONFORMITY: CONFORMITY, RunKind.REPLAY: REPLAYS}


class Verdict(StrEnum):
    """`FAILED` keeps a server out; `WARNING` is for people to judge; `SKIPPED` says nothing against it."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(StrEnum):
    """What was found, as a code: pages have the words, and what to do about it."""

    FINE = "fine"
    NOT_DECLARED = "not_declared"
    NOT_REACHED = "not_reached"
    NOT_KNOWN_OF_ENGINE = "not_known_of_engine"
    OUT_OF_TIME = "out_of_time"
    OWN_FAULT = "own_fault"
    # the way there
    RESOLVED = "resolved"
    IS_ADDRESS = "is_address"
    UNKNOWN_NAME = "unknown_name"
    BAD_ADDRESS = "bad_address"
    ADDRESS_REFUSED = "address_refused"
    CONNECTED = "connected"
    REFUSES_CONNECTIONS = "refuses_connections"
    NO_ANSWER = "no_answer"
    ENCRYPTED = "encrypted"
    IN_CLEAR = "in_clear"
    CERTIFICATE = "certificate"
    WANTS_CERTIFICATE = "wants_certificate"
    # what any request may meet
    CUT = "cut"
    SILENT = "silent"
    NO_HTTP = "no_http"
    DENIED = "denied"
    NO_ENDPOINT = "no_endpoint"
    BUSY = "busy"
    REDIRECTS = "redirects"
    SERVER_ERROR = "server_error"
    REFUSED_REQUEST = "refused_request"
    NOT_AS_DOCUMENTED = "not_as_documented"
    EMPTY_ANSWER = "empty_answer"
    # who may ask, and what for
    ASKS_WHO = "asks_who"
    OPEN_TO_ALL = "open_to_all"
    UNREADABLE_KEY = "unreadable_key"
    SERVES_MODEL = "serves_model"
    NOT_LISTED = "not_listed"
    LISTS_NOTHING = "lists_nothing"
    OTHER_NAME = "other_name"
    # streams
    STREAMS = "streams"
    ONE_PIECE = "one_piece"
    BUFFERED = "buffered"
    NO_STREAM = "no_stream"
    UNFINISHED = "unfinished"
    COUNTS = "counts"
    NO_COUNTS = "no_counts"
    ODD_COUNTS = "odd_counts"
    # context
    WINDOW_FITS = "window_fits"
    WINDOW_UNSURE = "window_unsure"
    WINDOW_LISTED_SMALLER = "window_listed_smaller"
    WINDOW_REFUSED = "window_refused"
    WINDOW_CUT = "window_cut"
    # abilities
    CALLS_TOOLS = "calls_tools"
    CALLS_WHEN_FORCED = "calls_when_forced"
    NO_CALL = "no_call"
    BROKEN_CALL = "broken_call"
    FOLLOWS_SCHEMA = "follows_schema"
    IGNORES_SCHEMA = "ignores_schema"
    READS_IMAGES = "reads_images"
    EMBEDS = "embeds"
    TRANSCRIBES = "transcribes"
    # numbers
    METRICS_READ = "metrics_read"
    METRICS_UNREADABLE = "metrics_unreadable"
    SPEED = "speed"
    SLOW = "slow"
    SOME_REFUSED = "some_refused"
    SOME_FAILED = "some_failed"
    ALIKE = "alike"
    UNALIKE = "unalike"
    NO_PEER = "no_peer"
    PEER_SILENT = "peer_silent"
    # replay
    ANSWERED = "answered"
    LIMIT_IGNORED = "limit_ignored"
    BROKEN_SIGNS = "broken_signs"
    ACCEPTS_NONSENSE = "accepts_nonsense"


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner says that the server does."""

    served_name: str
    context_length: int | None = None
    chat: bool = True
    tools: bool = False
    json_schema: bool = False
    images: bool = False
    embeddings: bool = False
    audio: bool = False


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another server of the same model, to compare answers with."""

    server: Server
    served_name: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report. `milliseconds` is how long the check took."""

    check: Check
    verdict: Verdict
    finding: Finding
    figures: Figures = {}
    milliseconds: int = 0


class ConformityJob(msgspec.Struct, frozen=True, kw_only=True, tag="conformity_job"):
    """Clerk → router: make this run. `attempt` tells the answers of a run that is made again from the earlier ones."""

    run_id: str
    attempt: int
    kind: RunKind
    server: Server
    declared: Declaration
    peers: tuple[Peer, ...] = ()
    other_models: tuple[str, ...] = ()
    """Names, in lower case, that stand for other models of the federation."""


class ConformityLine(msgspec.Struct, frozen=True, kw_only=True, tag="conformity_line"):
    """Router → clerk: a line, as soon as it is known."""

    run_id: str
    attempt: int
    line: Line


class ConformityEnd(msgspec.Struct, frozen=True, kw_only=True, tag="conformity_end"):
    """Router → clerk: every line of the run has been sent."""

    run_id: str
    attempt: int


def passes(lines: list[Line] | tuple[Line, ...]) -> bool:
    """Say whether a run with these lines lets a server in: warnings do, and what was not declared."""
    return bool(lines) and all(line.verdict is not Verdict.FAILED for line in lines)
