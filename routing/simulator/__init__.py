"""Simulated inference servers: on the wire and in time like vLLM, LiteLLM, llama.cpp, Ollama and LMDeploy.

For the demonstration, the tests, the bench and members who rehearse. Not responsible for routing: the
router meets these servers as it meets any other. See docs/simulator.md.
"""

from routing.simulator.config import Config, ConfigError, ServerConfig
from routing.simulator.faults import Fault
from routing.simulator.serve import (
    Simulated,
    SimulatedInThread,
    simulated,
    simulated_in_thread,
)

__all__ = [
    "Config",
    "ConfigError",
    "Fault",
    "ServerConfig",
    "Simulated",
    "SimulatedInThread",
    "simulated",
    "simulated_in_thread",
]
