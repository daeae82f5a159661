"""LMDeploy's api_server, from its documentation: later versions tell the context length as vLLM does."""

from routing.upstream.engines.base import Engine

LMDEPLOY = Engine(name="lmdeploy", context_keys=("max_model_len",))
