"""A configuration is read, or refused in one line that says where it is wrong."""

import json
from pathlib import Path

import pytest

from routing.simulator import Config, ConfigError
from routing.simulator.config import load, parse

SERVER = {"name": "rennes", "engine": "vllm", "model": "m"}


def test_a_server_needs_a_name_an_engine_and_a_model_only() -> None:
    config = parse({"servers": [SERVER]})

    assert config.servers[0].port == 0
    assert (config.speed, config.record) == (1.0, False)


def test_a_configuration_that_is_one_already_is_taken_as_it_is() -> None:
    config = parse({"servers": [SERVER]})

    assert parse(config) is config
    assert isinstance(config, Config)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"servers": []}, "length >= 1"),
        ({"servers": [{**SERVER, "engine": "gguf"}]}, r"gguf.*\$\.servers\[0\]\.engine"),
        ({"servers": [{**SERVER, "colour": 1}]}, "colour"),
        ({"servers": [{**SERVER, "port": 70_000}]}, "port"),
        ({"servers": [{**SERVER, "seconds_per_token": 0}]}, "seconds_per_token"),
        ({"servers": [SERVER, SERVER]}, "'rennes' is given to 2 servers"),
        ({"servers": [{**SERVER, "kv_tokens": 16}]}, "kv_tokens must be at least max_model_len"),
        ({"servers": [{**SERVER, "engine": "lmdeploy", "kind": "embed"}]}, "no embeddings"),
        ({"servers": [{**SERVER, "engine": "ollama", "kind": "speech"}]}, "no speech"),
        ({"servers": [{**SERVER, "engine": "vllm", "kind": "images"}]}, "no images"),
        ({"speed": 1}, "servers"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        parse(given)

    assert "\n" not in str(refused.value)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    missing, broken, wrong = (tmp_path / name for name in ("missing", "broken", "wrong"))
    broken.write_text("{")
    wrong.write_text(json.dumps({"servers": 3}))

    for path in (missing, broken, wrong, tmp_path):
        with pytest.raises(ConfigError, match=str(path)) as refused:
            load(path)
        assert "\n" not in str(refused.value)
