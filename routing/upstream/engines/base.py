"""What a router must know of an engine: only where it differs from the others."""

import msgspec


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """The software of an inference server.

    All of them list their models at `/v1/models`, take a bearer token and `stream_options.include_usage`;
    those that send no usage ignore it.
    """

    name: str
    context_keys: tuple[str, ...] = ()
    """Where an item of the list of models says how many tokens its context holds; the first that is there."""
    endpoints: tuple[str, ...] = ()
    """What it may be asked for where a deployment does not declare it; none: anything, its own answer tells."""
    may_lack_list: bool = False
    """Whether a server without a list of models may be a good one."""
    counts_streams: bool = True
    """Whether it is known to tell the usage of a stream when it is asked to."""
    names_as_asked: bool = True
    """Whether its answers name the model as the request did."""
    has_metrics: bool = False
    """Whether its own metrics are read (`routing.upstream.metrics`)."""
