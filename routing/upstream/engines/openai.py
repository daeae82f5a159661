"""Any other server that speaks the OpenAI interface: the names that several of them use, none of them certain."""

from routing.upstream.engines.base import Engine

OPENAI = Engine(
    name="openai",
    context_keys=("max_model_len", "context_length", "max_context_length", "context_window"),
    may_lack_list=True,
    counts_streams=False,
    names_as_asked=False,
)
