"""What the simulator is told: the servers, their speed, their faults' defaults. Parsing and checks only."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

EngineName = Literal["vllm", "ollama", "litellm", "lmdeploy", "llamacpp"]
Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0)]


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line for the person who wrote it."""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One simulated server. Times in seconds on an unloaded server, lengths in tokens."""

    name: Name
    engine: EngineName
    model: Name
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    # Speech to text is vLLM's, images are made behind a LiteLLM.
    kind: Literal["chat", "embed", "speech", "images"] = "chat"
    # Whether pictures are taken; only vLLM and LiteLLM refuse them.
    multimodal: bool = False
    api_key: str | None = None
    max_model_len: Annotated[int, Meta(ge=16)] = 32_768
    max_num_seqs: Count = 8
    kv_tokens: Count = 131_072
    prefill_tokens_per_s: Rate = 5_000.0
    seconds_per_token: Rate = 0.02
    # How much longer a step takes for each further sequence in the batch: 0.03 = 3 %.
    batch_slowdown: Annotated[float, Meta(ge=0)] = 0.03
    # Requests that may wait inside the server; one more is refused. None: no limit.
    max_queued: Annotated[int, Meta(ge=0)] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind == "embed" and self.engine == "lmdeploy":
            raise ValueError("lmdeploy serves no embeddings")
        if (self.kind == "speech" and self.engine != "vllm") or (
            self.kind == "images" and self.engine != "litellm"
        ):
            raise ValueError(f"{self.engine} serves no {self.kind} here: vllm hears, litellm draws")
        # Otherwise one long prompt could wait for ever for a cache that can never hold it.
        if self.kv_tokens < self.max_model_len:
            raise ValueError("kv_tokens must be at least max_model_len")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All servers of one process. `speed` 2 is twice as fast, 0 is instant; `record` keeps request bodies."""

    servers: Annotated[tuple[ServerConfig, ...], Meta(min_length=1)]
    speed: Annotated[float, Meta(ge=0)] = 1.0
    record: bool = False

    def __post_init__(self) -> None:
        for name, count in Counter(server.name for server in self.servers).items():
            if count > 1:
                raise ValueError(f"the name {name!r} is given to {count} servers")


def parse(given: Config | Mapping[str, object]) -> Config:
    """A configuration from what a test or a file gives."""
    if isinstance(given, Config):
        return given
    try:
        return msgspec.convert(given, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from error


def load(path: Path) -> Config:
    """The configuration in a JSON file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{path}: {error}") from error
