"""vLLM, as captured from 0.32."""

from routing.upstream.engines.base import Engine

VLLM = Engine(name="vllm", context_keys=("max_model_len",), has_metrics=True)
