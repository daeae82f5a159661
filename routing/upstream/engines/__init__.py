"""The engines that the federation knows, by the name that the register gives them."""

from routing.upstream.engines.base import Engine
from routing.upstream.engines.litellm import LITELLM
from routing.upstream.engines.lmdeploy import LMDEPLOY
from routing.upstream.engines.ollama import OLLAMA
from routing.upstream.engines.openai import OPENAI
from routing.upstream.engines.vllm import VLLM

ENGINES = {engine.name: engine for engine in (VLLM, OLLAMA, LITELLM, LMDEPLOY, OPENAI)}


def engine_named(name: str) -> Engine:
    """Return the engine of this name; one that is not known is taken for OpenAI-compatible."""
    return ENGINES.get(name, OPENAI)
