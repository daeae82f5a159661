"""LiteLLM's proxy, as captured from 1.106: the context length is that of the model behind it.

Beside its models' endpoints it has others by which it is managed, open to whoever holds its master key, which may
well be the token that its owner has given us. So nothing else is passed on to it.
"""

from routing.upstream.engines.base import Engine

LITELLM = Engine(
    name="litellm",
    context_keys=("max_input_tokens",),
    names_as_asked=False,
    endpoints=(
        *("chat/completions", "completions", "responses", "messages", "messages/count_tokens"),
        *("embeddings", "rerank", "moderations", "images/generations"),
        *("audio/transcriptions", "audio/translations", "audio/speech"),
    ),
)
