"""LiteLLM's proxy, as captured from 1.106: the context length is that of the model behind it."""

from routing.upstream.engines.base import Engine

LITELLM = Engine(name="litellm", context_keys=("max_input_tokens",))
