"""Ollama's OpenAI interface, from its documentation: the list holds names and no context length."""

from routing.upstream.engines.base import Engine

OLLAMA = Engine(name="ollama")
