"""What each engine says on the wire. One module per engine, only what differs."""

from routing.simulator.config import EngineName
from routing.simulator.shapes.base import Shape
from routing.simulator.shapes.litellm import LiteLLM
from routing.simulator.shapes.llamacpp import LlamaCpp
from routing.simulator.shapes.lmdeploy import LMDeploy
from routing.simulator.shapes.ollama import Ollama
from routing.simulator.shapes.vllm import VLLM

SHAPES: dict[EngineName, type[Shape]] = {
    "vllm": VLLM,
    "litellm": LiteLLM,
    "llamacpp": LlamaCpp,
    "ollama": Ollama,
    "lmdeploy": LMDeploy,
}
