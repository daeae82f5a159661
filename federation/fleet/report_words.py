"""The words of reports: of each check, verdict and finding, and what to do about it. `reports` chooses among them."""

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from routing.core.conformity import Check, Finding, Verdict
from routing.upstream.errors import RefusalReason

Words = str | Promise

CHECK_LABELS: Mapping[str, Words] = {
    Check.DNS: gettext_lazy("Name"),
    Check.CONNECTION: gettext_lazy("Connection"),
    Check.TLS: gettext_lazy("Certificate"),
    Check.AUTHENTICATION: gettext_lazy("Access key"),
    Check.MODEL: gettext_lazy("Model"),
    Check.STREAMING: gettext_lazy("Streaming"),
    Check.STREAM_USAGE: gettext_lazy("Token counts in streams"),
    Check.CONTEXT: gettext_lazy("Context window"),
    Check.TOOLS: gettext_lazy("Tool calls"),
    Check.JSON_SCHEMA: gettext_lazy("Structured output"),
    Check.IMAGES: gettext_lazy("Images"),
    Check.EMBEDDINGS: gettext_lazy("Embeddings"),
    Check.AUDIO: gettext_lazy("Speech to text"),
    Check.METRICS: gettext_lazy("Metrics"),
    Check.SPEED_ALONE: gettext_lazy("Speed, one request"),
    Check.SPEED_TOGETHER: gettext_lazy("Speed, several requests"),
    Check.PEERS: gettext_lazy("Answers like its peers"),
    Check.REPLAY_FRENCH: gettext_lazy("A question in French"),
    Check.REPLAY_ENGLISH: gettext_lazy("A question in English"),
    Check.REPLAY_CONVERSATION: gettext_lazy("A conversation of several turns"),
    Check.REPLAY_CODE: gettext_lazy("A piece of code"),
    Check.REPLAY_SIGNS: gettext_lazy("Accents and signs of other scripts"),
    Check.REPLAY_LIMIT: gettext_lazy("The limit of an answer"),
    Check.REPLAY_STREAM: gettext_lazy("An answer as a stream"),
    Check.REPLAY_BAD_REQUEST: gettext_lazy("A malformed request"),
}
VERDICT_LABELS: Mapping[str, Words] = {
    Verdict.OK: gettext_lazy("fine"),
    Verdict.WARNING: gettext_lazy("warning"),
    Verdict.FAILED: gettext_lazy("failed"),
    Verdict.SKIPPED: gettext_lazy("left out"),
}
FOUND: Mapping[str, Words] = {
    Finding.FINE: gettext_lazy("As it should be."),
    Finding.NOT_DECLARED: gettext_lazy("Not declared, hence not looked at."),
    Finding.NOT_REACHED: gettext_lazy("Not looked at: “%(needs)s” comes first."),
    Finding.NOT_KNOWN_OF_ENGINE: gettext_lazy("The router reads none from this engine."),
    Finding.OUT_OF_TIME: gettext_lazy("No end in the time allowed."),
    Finding.OWN_FAULT: gettext_lazy("The check itself has failed: the server is not at fault."),
    Finding.RESOLVED: gettext_lazy("The name leads to %(address)s."),
    Finding.IS_ADDRESS: gettext_lazy("An IP address, %(address)s: there is no name to look up."),
    Finding.UNKNOWN_NAME: gettext_lazy("The router finds no address for %(host)s."),
    Finding.BAD_ADDRESS: gettext_lazy("The address cannot be read."),
    Finding.ADDRESS_REFUSED: gettext_lazy(
        "The router may not connect to %(address)s, port %(port)s: %(reason)s."
    ),
    Finding.CONNECTED: gettext_lazy("Connected to %(address)s, port %(port)s."),
    Finding.REFUSES_CONNECTIONS: gettext_lazy("Nobody listens on port %(port)s."),
    Finding.NO_ANSWER: gettext_lazy("No answer from port %(port)s within %(seconds)s s."),
    Finding.ENCRYPTED: gettext_lazy("Encrypted, and the certificate is trusted."),
    Finding.IN_CLEAR: gettext_lazy("Reached without encryption, by leave of the federation."),
    Finding.CERTIFICATE: gettext_lazy("The certificate is not trusted: %(certificate)s."),
    Finding.WANTS_CERTIFICATE: gettext_lazy(
        "The server asks the router for a certificate, or does not accept the one that it is shown."
    ),
    Finding.CUT: gettext_lazy("The connection ended before the answer did."),
    Finding.SILENT: gettext_lazy("No whole answer in the time allowed."),
    Finding.NO_HTTP: gettext_lazy("What came cannot be read as an HTTP answer."),
    Finding.DENIED: gettext_lazy("The server refuses the access key (status %(status)s)."),
    Finding.NO_ENDPOINT: gettext_lazy(
        "The server does not have this endpoint (status %(status)s)."
    ),
    Finding.BUSY: gettext_lazy("The server says that it is too busy (status %(status)s)."),
    Finding.REDIRECTS: gettext_lazy("The server sends elsewhere (status %(status)s)."),
    Finding.SERVER_ERROR: gettext_lazy("The server failed (status %(status)s)."),
    Finding.REFUSED_REQUEST: gettext_lazy("The server refused the request (status %(status)s)."),
    Finding.NOT_AS_DOCUMENTED: gettext_lazy(
        "The answer is not of the form that the interface prescribes."
    ),
    Finding.EMPTY_ANSWER: gettext_lazy("An answer without a text."),
    Finding.ASKS_WHO: gettext_lazy("Whoever has the key is let in, and nobody else."),
    Finding.OPEN_TO_ALL: gettext_lazy("The server answers to anybody, without a key."),
    Finding.UNREADABLE_KEY: gettext_lazy("The access key that is kept cannot be used."),
    Finding.SERVES_MODEL: gettext_lazy("The model is listed, and answers under its name."),
    Finding.NOT_LISTED: gettext_lazy(
        "The server does not list this name (it lists %(models)s models)."
    ),
    Finding.LISTS_NOTHING: gettext_lazy("The model answers; the server lists no models."),
    Finding.OTHER_NAME: gettext_lazy("The server answers under another model’s name."),
    Finding.STREAMS: gettext_lazy("The answer comes piece by piece (%(pieces)s pieces)."),
    Finding.ONE_PIECE: gettext_lazy("A stream was asked for, and the whole answer came at once."),
    Finding.BUFFERED: gettext_lazy("Nothing came for %(seconds)s s, then the whole answer."),
    Finding.NO_STREAM: gettext_lazy("A stream was asked for, and none came."),
    Finding.UNFINISHED: gettext_lazy("The answer does not end as the interface prescribes."),
    Finding.COUNTS: gettext_lazy(
        "The counts are there: %(prompt)s tokens read, %(completion)s written."
    ),
    Finding.NO_COUNTS: gettext_lazy("The counts that were asked for are missing."),
    Finding.ODD_COUNTS: gettext_lazy("The counts cannot be true."),
    Finding.WINDOW_FITS: gettext_lazy(
        "A prompt of %(tokens)s tokens was read whole; %(declared)s are declared."
    ),
    Finding.WINDOW_UNSURE: gettext_lazy(
        "A prompt of about %(tokens)s tokens was accepted; the server does not say how many it read."
    ),
    Finding.WINDOW_LISTED_SMALLER: gettext_lazy(
        "%(declared)s tokens are declared; the server itself lists %(listed)s."
    ),
    Finding.WINDOW_REFUSED: gettext_lazy(
        "%(declared)s tokens are declared; a prompt of %(tokens)s was refused."
    ),
    Finding.WINDOW_CUT: gettext_lazy(
        "Of a prompt of %(tokens)s tokens only %(read)s were read: the server cuts without a word."
    ),
    Finding.CALLS_TOOLS: gettext_lazy("The model called the tool, with arguments that fit."),
    Finding.CALLS_WHEN_FORCED: gettext_lazy("The model calls a tool only when it is forced to."),
    Finding.NO_CALL: gettext_lazy("The model did not call the tool."),
    Finding.BROKEN_CALL: gettext_lazy("The tool was called with arguments that cannot be read."),
    Finding.FOLLOWS_SCHEMA: gettext_lazy("The answer follows the schema."),
    Finding.IGNORES_SCHEMA: gettext_lazy("The answer does not follow the schema."),
    Finding.READS_IMAGES: gettext_lazy("An image is accepted."),
    Finding.EMBEDS: gettext_lazy("Vectors of %(dimensions)s dimensions."),
    Finding.TRANSCRIBES: gettext_lazy("A sound is accepted."),
    Finding.METRICS_READ: gettext_lazy("Read: %(running)s requests running, %(waiting)s waiting."),
    Finding.METRICS_UNREADABLE: gettext_lazy("/metrics cannot be read."),
    Finding.SPEED: gettext_lazy(
        "First token after %(first_ms)s ms, then %(tokens_per_s)s tokens a second (%(requests)s at once)."
    ),
    Finding.SLOW: gettext_lazy(
        "Slow: first token after %(first_ms)s ms, then %(tokens_per_s)s tokens a second "
        "(%(requests)s at once)."
    ),
    Finding.SOME_REFUSED: gettext_lazy(
        "Of %(requests)s requests at once, %(refused)s were refused."
    ),
    Finding.SOME_FAILED: gettext_lazy("Of %(requests)s requests at once, %(failed)s failed."),
    Finding.ALIKE: gettext_lazy("%(percent)s%% alike at temperature 0."),
    Finding.UNALIKE: gettext_lazy("Only %(percent)s%% alike at temperature 0."),
    Finding.NO_PEER: gettext_lazy("No other server of this model is in service."),
    Finding.PEER_SILENT: gettext_lazy("The other servers of this model did not answer."),
    Finding.ANSWERED: gettext_lazy("Answered, in %(tokens)s tokens."),
    Finding.LIMIT_IGNORED: gettext_lazy(
        "%(tokens)s tokens were written where at most %(limit)s were allowed."
    ),
    Finding.BROKEN_SIGNS: gettext_lazy("Some characters of the answer are broken."),
    Finding.ACCEPTS_NONSENSE: gettext_lazy("It was answered as if it were one."),
}
CERTIFICATES: Mapping[int, Words] = {
    9: gettext_lazy("it is not valid yet"),
    10: gettext_lazy("it has expired"),
    18: gettext_lazy("it is signed by itself"),
    19: gettext_lazy("its authority is not known here"),
    20: gettext_lazy("its authority is not known here, or an intermediate certificate is missing"),
    21: gettext_lazy("its authority is not known here, or an intermediate certificate is missing"),
    23: gettext_lazy("it was revoked"),
    62: gettext_lazy("it is for another name"),
    64: gettext_lazy("it is for another address"),
}
OTHER_CERTIFICATE = gettext_lazy("the encrypted connection did not come about")
REASONS: Mapping[str, Words] = {
    RefusalReason.PLAIN_HTTP: gettext_lazy("it is reached without encryption"),
    RefusalReason.PORT: gettext_lazy("its port is none of those on which servers are reached"),
    RefusalReason.LOOPBACK: gettext_lazy("it is the router’s own machine"),
    RefusalReason.PRIVATE: gettext_lazy("it is a private address"),
    RefusalReason.SHARED: gettext_lazy("it is an address that a provider shares out"),
    RefusalReason.LINK_LOCAL: gettext_lazy("it is a link-local address"),
    RefusalReason.METADATA: gettext_lazy("it is a cloud’s metadata service"),
    RefusalReason.MULTICAST: gettext_lazy("it is a multicast address"),
    RefusalReason.RESERVED: gettext_lazy("it is a reserved address"),
    RefusalReason.UNSPECIFIED: gettext_lazy("it is not the address of a host"),
}
ADVICE: Mapping[str, Words] = {
    Finding.UNKNOWN_NAME: gettext_lazy("Check the name, and that it is known in the public DNS."),
    Finding.BAD_ADDRESS: gettext_lazy("Correct the address in the form."),
    Finding.REFUSES_CONNECTIONS: gettext_lazy(
        "Start the server, check the port, and that it listens beyond its own machine."
    ),
    Finding.CERTIFICATE: gettext_lazy(
        "Install a certificate for this very name, with its intermediate certificates; if your own "
        "authority has signed it, put that authority in under “Certificates”."
    ),
    Finding.WANTS_CERTIFICATE: gettext_lazy(
        "Put in, under “Certificates”, a certificate that your authority has issued to the router, "
        "and its key."
    ),
    Finding.CUT: gettext_lazy("Look into the server’s log at this moment: did it restart?"),
    Finding.SILENT: gettext_lazy(
        "Look whether the server is overloaded, or still loading its model."
    ),
    Finding.NO_HTTP: gettext_lazy(
        "Check that the address is the server’s, and its port that of HTTP."
    ),
    Finding.DENIED: gettext_lazy(
        "Put in the key that the server was started with, under “Another access key”."
    ),
    Finding.NO_ENDPOINT: gettext_lazy(
        "Check the address: the router asks for /v1/models and /v1/chat/completions below it."
    ),
    Finding.BUSY: gettext_lazy("Wait until it is less busy, then run the checks again."),
    Finding.REDIRECTS: gettext_lazy(
        "Give the server’s own address: the router follows no redirection."
    ),
    Finding.SERVER_ERROR: gettext_lazy("Look into the server’s log at this moment."),
    Finding.NOT_AS_DOCUMENTED: gettext_lazy(
        "Check that the address leads to the inference server and not to a page in front of it."
    ),
    Finding.UNREADABLE_KEY: gettext_lazy("Put in the access key again."),
    Finding.OPEN_TO_ALL: gettext_lazy(
        "Set a key on the server (vLLM: --api-key), so that only the federation uses it."
    ),
    Finding.NOT_LISTED: gettext_lazy(
        "Correct the name on the server, or start the server under that name "
        "(vLLM: --served-model-name)."
    ),
    Finding.OTHER_NAME: gettext_lazy("Check which model is loaded, and the name in the form."),
    Finding.ONE_PIECE: gettext_lazy(
        "A reverse proxy may hold the answer back: with nginx, set “proxy_buffering off”."
    ),
    Finding.BUFFERED: gettext_lazy(
        "A reverse proxy may hold the answer back: with nginx, set “proxy_buffering off”."
    ),
    Finding.NO_STREAM: gettext_lazy("Check that nothing in front of the server rewrites answers."),
    Finding.UNFINISHED: gettext_lazy(
        "Check that nothing in front of the server cuts answers short."
    ),
    Finding.NO_COUNTS: gettext_lazy(
        "Have the server honour “stream_options.include_usage”; a recent version does."
    ),
    Finding.WINDOW_LISTED_SMALLER: gettext_lazy(
        "Declare what the server has, or start it with more (vLLM: --max-model-len)."
    ),
    Finding.WINDOW_REFUSED: gettext_lazy(
        "Declare what the server has, or start it with more (vLLM: --max-model-len)."
    ),
    Finding.WINDOW_CUT: gettext_lazy(
        "Declare what the server has, or start it with more (Ollama: OLLAMA_CONTEXT_LENGTH)."
    ),
    Finding.NO_CALL: gettext_lazy(
        "Start the server with tool calls (vLLM: --enable-auto-tool-choice and --tool-call-parser), "
        "or do not declare them."
    ),
    Finding.CALLS_WHEN_FORCED: gettext_lazy(
        "For most applications tools must be called freely (vLLM: --enable-auto-tool-choice)."
    ),
    Finding.BROKEN_CALL: gettext_lazy("Choose the tool parser that belongs to this model."),
    Finding.IGNORES_SCHEMA: gettext_lazy(
        "Start the server with structured outputs, or do not declare them."
    ),
    Finding.METRICS_UNREADABLE: gettext_lazy(
        "Let the router read /metrics at the same address: it then shares requests out better."
    ),
    Finding.SOME_FAILED: gettext_lazy("Lower “Most requests at once” to what the server bears."),
    Finding.SOME_REFUSED: gettext_lazy("Set “Most requests at once” to what the server accepts."),
    Finding.UNALIKE: gettext_lazy(
        "Check weights, quantisation and chat template: the model may not be quite the same."
    ),
    Finding.OWN_FAULT: gettext_lazy(
        "Run the checks again, and tell the federation if it stays so."
    ),
}
ADVICE_OF_CHECK: Mapping[tuple[str, str], Words] = {
    (Check.TOOLS, Finding.REFUSED_REQUEST): ADVICE[Finding.NO_CALL],
    (Check.JSON_SCHEMA, Finding.REFUSED_REQUEST): ADVICE[Finding.IGNORES_SCHEMA],
    (Check.IMAGES, Finding.REFUSED_REQUEST): gettext_lazy(
        "Load a model that reads images, or do not declare them."
    ),
    (Check.EMBEDDINGS, Finding.NO_ENDPOINT): gettext_lazy(
        "Start the server for embeddings, or do not declare them."
    ),
    (Check.AUDIO, Finding.NO_ENDPOINT): gettext_lazy(
        "Start the server for speech, or do not declare it."
    ),
    (Check.AUTHENTICATION, Finding.REFUSED_REQUEST): gettext_lazy(
        "If a proxy in front of the server asks for a certificate of the router’s, put one in under "
        "“Certificates”."
    ),
    (Check.AUTHENTICATION, Finding.CUT): gettext_lazy(
        "Look into the server’s log at this moment. If it asks its clients for a certificate, put one in under "
        "“Certificates”."
    ),
}


class Place(StrEnum):
    """A page of the server's on which something is put right."""

    FORM = "form"
    KEY = "key"
    CERTIFICATES = "certificates"
    NETWORKS = "networks"


PLACE_LABELS: Mapping[Place, Words] = {
    Place.FORM: gettext_lazy("Change what is declared"),
    Place.KEY: gettext_lazy("Another access key"),
    Place.CERTIFICATES: gettext_lazy("Certificates"),
    Place.NETWORKS: gettext_lazy("Networks"),
}
MENDED_AT: Mapping[str, Place] = {
    **dict.fromkeys(
        (
            *(Finding.UNKNOWN_NAME, Finding.BAD_ADDRESS, Finding.NO_HTTP, Finding.NO_ENDPOINT),
            *(Finding.REDIRECTS, Finding.NOT_AS_DOCUMENTED, Finding.ADDRESS_REFUSED),
            *(Finding.NOT_LISTED, Finding.OTHER_NAME, Finding.WINDOW_LISTED_SMALLER),
            *(Finding.WINDOW_REFUSED, Finding.WINDOW_CUT, Finding.NO_CALL),
            *(Finding.IGNORES_SCHEMA, Finding.SOME_FAILED, Finding.SOME_REFUSED),
        ),
        Place.FORM,
    ),
    **dict.fromkeys((Finding.DENIED, Finding.UNREADABLE_KEY, Finding.OPEN_TO_ALL), Place.KEY),
    **dict.fromkeys((Finding.CERTIFICATE, Finding.WANTS_CERTIFICATE), Place.CERTIFICATES),
}
"""What the advice sends to a page for; the rest is put right on the server itself."""
MENDED_AT_OF_CHECK: Mapping[tuple[str, str], Place] = {
    (Check.AUTHENTICATION, Finding.REFUSED_REQUEST): Place.CERTIFICATES,
    (Check.AUTHENTICATION, Finding.CUT): Place.CERTIFICATES,
    **{
        (check, Finding.REFUSED_REQUEST): Place.FORM
        for check in (Check.TOOLS, Check.JSON_SCHEMA, Check.IMAGES)
    },
}
