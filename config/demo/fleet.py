"""The eight inference servers of the demonstration, and how fast the simulator plays them.

Speeds are of the order that one sees on one or two recent GPUs; they are no measurement of anybody's machine.
"""

from typing import NamedTuple

from federation.fleet.enums import Engine
from routing.simulator.config import EngineName


class Speed(NamedTuple):
    """How a simulated server plays a model on hardware of its own.

    `seconds_per_token`: of a recording, per token of what is said in it.
    """

    prefill_tokens_per_s: float
    seconds_per_token: float
    max_num_seqs: int


class DemoServer(NamedTuple):
    """A server; `serves` maps public names of models to the name that the server gives them."""

    slug: str
    name: str
    institution: str
    engine: Engine
    simulated: EngineName
    serves: dict[str, str]
    speed: Speed
    gpu: str
    gpus: int = 1
    max_parallel: int | None = None
    is_metered: bool = False


SERVERS = (
    DemoServer(
        slug="rennes-vllm-1",
        name="Rennes, raisonnement",
        institution="rennes",
        engine=Engine.VLLM,
        simulated="vllm",
        serves={"gpt-oss-120b": "openai/gpt-oss-120b"},
        speed=Speed(9_000, 0.018, 64),
        gpu="H100 SXM 80 Go",
        max_parallel=128,
        is_metered=True,
    ),
    DemoServer(
        slug="rennes-litellm-1",
        name="Rennes, RAGaRenn",
        institution="rennes",
        engine=Engine.LITELLM,
        simulated="litellm",
        serves={"mistral-small-3.2-24b": "mistral-small"},
        speed=Speed(7_000, 0.024, 64),
        gpu="H100 SXM 80 Go",
    ),
    DemoServer(
        slug="reims-vllm-1",
        name="Reims, grands modèles",
        institution="reims",
        engine=Engine.VLLM,
        simulated="vllm",
        serves={"llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct"},
        speed=Speed(3_500, 0.042, 48),
        gpu="H100 SXM 80 Go",
        gpus=2,
        max_parallel=96,
    ),
    DemoServer(
        slug="paris1-lmdeploy-1",
        name="Paris 1, agents",
        institution="paris1",
        engine=Engine.LMDEPLOY,
        simulated="lmdeploy",
        serves={"qwen-3-30b": "Qwen/Qwen3-30B-A3B"},
        speed=Speed(8_000, 0.015, 64),
        gpu="A100 80 Go",
    ),
    DemoServer(
        slug="cotedazur-ollama-1",
        name="Côte d’Azur, Ollama",
        institution="cotedazur",
        engine=Engine.OLLAMA,
        simulated="ollama",
        serves={"llama-3.1-8b": "llama3.1:8b"},
        speed=Speed(4_000, 0.020, 16),
        gpu="L40S",
    ),
    DemoServer(
        slug="strasbourg-vllm-1",
        name="Strasbourg, vLLM",
        institution="strasbourg",
        engine=Engine.VLLM,
        simulated="vllm",
        serves={"mistral-small-3.2-24b": "mistralai/Mistral-Small-3.2-24B-Instruct-2506"},
        speed=Speed(7_000, 0.024, 64),
        gpu="H100 SXM 80 Go",
        max_parallel=128,
    ),
    DemoServer(
        slug="reims-openai-1",
        name="Reims, petits modèles",
        institution="reims",
        engine=Engine.OPENAI,
        simulated="llamacpp",
        serves={
            "qwen-2.5-3b": "qwen2.5-3b-instruct-q4_k_m",
            "llama-3.1-8b": "llama-3.1-8b-instruct-q4_k_m",
        },
        speed=Speed(3_000, 0.012, 4),
        gpu="V100 32 Go",
    ),
    DemoServer(
        slug="strasbourg-vllm-2",
        name="Strasbourg, parole",
        institution="strasbourg",
        engine=Engine.VLLM,
        simulated="vllm",
        serves={"whisper-large-v3": "openai/whisper-large-v3"},
        speed=Speed(5_000, 0.008, 16),
        gpu="L40S",
    ),
)
