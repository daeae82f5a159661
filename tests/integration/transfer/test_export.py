"""What was imported is written back with the same meaning; what the dispatcher cannot do is told."""

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from federation.access.models import ApiKey
from federation.access.operations import revoke_key
from federation.catalogue.models import AIModel
from federation.catalogue.operations.aliases import add_alias
from federation.catalogue.operations.routing import set_routing
from federation.fleet.enums import Engine
from federation.fleet.operations.publication import Offer, publish_server
from routing.bridge.transfer.meaning import Configuration
from routing.bridge.transfer.sources import Sources, read
from routing.bridge.transfer.values import PublicId
from routing.core.enums import RoutingSetting
from tests.support.dispatcher import USERS, VALUES, run, write
from tests.support.factories import OPERATOR, Cast, serve_model

RICH = """\
models:
  - name: mistral31-24b
    model: "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
    quantization: fp8
    vllm_servers:
      https://dc1.univ-xxx.example/vllm:
        token: secret-of-dc1
        organization: Université de Tours
        max_parallel_requests: 16
      http://127.0.0.1:8101/v1:
        organization: Rennes
    routing_strategy: least-busy
    quality_of_service_policy: performance-based-requeue
    priority_handler: vllm
  - name: llama31-8b2
    model: "meta-llama/Llama-3.1-8B-Instruct"
    vllm_servers:
      - url: https://dc2.univ-yyy.example
        token: secret-of-dc2
        organization: Rennes
      - url: https://dc1.univ-xxx.example/vllm
        token: secret-of-dc1
        organization: Université de Tours
        max_parallel_requests: 16
    routing_strategy: round-robin
    quality_of_service_policy: parallel-requests-threshold-requeue
tokens:
  - {token: tokenwithlowerpriority, priority: 1, threshold: 5}
  - {token: tokenwithhigherpriority, priority: 2, threshold: 10}
consumer:
  replicaCount: 1
sender:
  env:
    - name: MODEL_HOST_MAPPING
      value: '{"%s": ["Rennes", "Université de Tours"], "%s": ["Rennes", "Université de Tours"]}'
"""
HOSTED = {
    "model": RICH
    % ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", "meta-llama/Llama-3.1-8B-Instruct"),
    "name": RICH % ("mistral31-24b", "llama31-8b2"),
}


def meaning(public_id: str, values: Path, users: Path | None = None) -> Configuration:
    sources = Sources(zone=UTC, values=values, users=users, public_id=PublicId(public_id))
    return read(sources)[0]


def sorted_by_name(found: Configuration) -> Configuration:
    """Order says nothing in these files."""
    models = tuple(
        replace(model, servers=tuple(sorted(model.servers, key=lambda server: server.url)))
        for model in sorted(found.models, key=lambda model: model.name)
    )
    keys = tuple(sorted(found.keys, key=lambda key: key.token.reveal()))
    return replace(found, models=models, keys=keys)


@pytest.mark.parametrize("public_id", ["model", "name"])
def test_a_rich_values_file_comes_back_with_the_same_meaning(
    cast: Cast, tmp_path: Path, public_id: str
) -> None:
    values = write(tmp_path, "values.yaml", HOSTED[public_id])
    chosen = ("--public-id", public_id)
    run("import_dispatcher", "--values", values, *chosen, "--institution", "reims", "--apply")

    lines = run("export_dispatcher", tmp_path / "back.yaml", *chosen, "--tokens", values)

    assert lines == [f"{tmp_path / 'back.yaml'}: 2 models, 2 tokens"]
    before, after = meaning(public_id, values), meaning(public_id, tmp_path / "back.yaml")
    assert sorted_by_name(after) == sorted_by_name(before)
    assert len(before.models) == len(before.keys) == 2


def test_the_federations_own_example_comes_back_with_what_was_said_beside_it(
    cast: Cast, tmp_path: Path
) -> None:
    """Whose the servers are was told to the import: it stands in the file that comes back."""
    values = write(tmp_path, "values.yaml", VALUES)
    said = ("--public-id", "model", "--institution", "rennes")
    run("import_dispatcher", "--values", values, *said, "--apply")

    run("export_dispatcher", tmp_path / "back.yaml")

    before = meaning("model", values)
    owned = tuple(
        replace(
            model, servers=tuple(replace(each, organization="Rennes") for each in model.servers)
        )
        for model in before.models
    )
    after = meaning("model", tmp_path / "back.yaml")
    assert sorted_by_name(after).models == sorted_by_name(replace(before, models=owned)).models
    assert (tmp_path / "back.yaml").stat().st_mode & 0o077 == 0
    again = run("import_dispatcher", "--values", tmp_path / "back.yaml", "--public-id", "model")
    assert again[-1] == "Nothing to do."


def test_users_come_back_as_rows_of_their_table(cast: Cast, tmp_path: Path) -> None:
    users = write(tmp_path, "users.csv", USERS)
    run("import_dispatcher", "--users", users, "--apply")
    back = tmp_path / "back.csv"

    run("export_dispatcher", tmp_path / "back.yaml", "--users", users, "--users-output", back)

    sources = Sources(zone=UTC, users=users)
    assert read(replace(sources, users=back))[0].keys == read(sources)[0].keys
    assert back.stat().st_mode & 0o077 == 0


def test_a_key_that_was_revoked_here_does_not_come_back(cast: Cast, tmp_path: Path) -> None:
    users = write(tmp_path, "users.csv", USERS)
    run("import_dispatcher", "--users", users, "--apply")
    revoke_key(by=OPERATOR, key=ApiKey.objects.get(name="Moodle"), reason="leaked")
    back = tmp_path / "back.csv"

    lines = run(
        *("export_dispatcher", tmp_path / "back.yaml", "--users", users, "--users-output", back)
    )

    assert "! left out: users.csv line 2: the register has no such key in force" in lines
    assert "tokenwithlowerpriority" not in back.read_text()


def test_what_the_dispatcher_has_no_words_for_is_told(cast: Cast, tmp_path: Path) -> None:
    serve_model(cast.reims, "essai")
    offer = Offer(cast.rennes, "http://127.0.0.1:8101", Engine.VLLM, "llama", "llama")
    model = publish_server(by=OPERATOR, offer=offer).deployment.version.model
    set_routing(by=OPERATOR, model=model, settings={"setting": RoutingSetting.AFFINITY})
    add_alias(by=OPERATOR, model=AIModel.objects.get(slug="llama"), name="llama-old")

    lines = run("export_dispatcher", tmp_path / "back.yaml")

    assert lines[0].endswith("back.yaml: 1 models, 0 tokens")
    assert "! llama: affinity is written as least-busy with requeue" in lines
    assert "! left out: llama-old, an alias of llama" in lines
    assert any("knows it by another name" in line for line in lines)


def test_an_export_that_cannot_be_written_is_refused(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        run("export_dispatcher", tmp_path / "no" / "back.yaml")
    with pytest.raises(CommandError, match="go together"):
        run("export_dispatcher", tmp_path / "back.yaml", "--users-output", tmp_path / "users.csv")
