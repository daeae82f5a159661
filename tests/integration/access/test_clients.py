"""Each configuration file is what its software reads: its own format, the address under which it asks, real models.

The keys are those of each software's documentation: Open WebUI's environment variables, LibreChat's custom
endpoints, Continue's config.yaml (schema v1), opencode's provider of @ai-sdk/openai-compatible, Codex's
model_providers, Claude Code's settings.json.
"""

import json
import tomllib
from typing import Any

import pytest
import yaml
from pytest_django import Settings

from federation.access.clients import client_files
from federation.access.models import ApiKey
from federation.access.offer import Usable, usable_models
from federation.access.operations import issue_key
from federation.catalogue.enums import Capability
from federation.catalogue.operations.registering import ModelFacts
from federation.fleet.enums import Engine
from federation.fleet.models import Deployment
from federation.fleet.operations.labels import set_site_labels
from routing.core.enums import Endpoint, RoutingMode
from tests.support.factories import OPERATOR, Cast, make_application, make_model, serve_model
from tests.support.pages import signed_in_as

BASE = "http://127.0.0.1:8000/v1"
KEY = "ilaas_live_abc"
BOTH = frozenset({Endpoint.RESPONSES.value, Endpoint.MESSAGES.value})
CHAT = Usable("vendor/chat:1", "Chat", ("chat", "tools", "vision"), 65_536, BOTH)
SMALL = Usable("small", "Small", ("chat",), None, frozenset())
EMBEDDING = Usable("embed", "Embed", ("embeddings",), 8192, frozenset())
RERANKING = Usable("rank", "Rank", ("rerank",), None, frozenset())
MODELS = [CHAT, SMALL, EMBEDDING, RERANKING]


@pytest.fixture(autouse=True)
def name_with_signs(settings: Settings) -> None:
    settings.SITE_NAME = 'ILaaS « "essai" »'


def code(client: str, models: list[Usable] | None = None, key: str = "") -> str:
    (file,) = [each for each in client_files(models or MODELS, key) if each.client == client]
    return file.code


def names(models: list[Usable]) -> list[str]:
    return [each.client for each in client_files(models)]


def test_open_webui_reads_an_environment_file_with_the_key() -> None:
    read = dict(line.split("=", 1) for line in code("open-webui", key=KEY).splitlines())

    assert read["OPENAI_API_BASE_URL"] == read["RAG_OPENAI_API_BASE_URL"] == BASE
    assert read["OPENAI_API_KEY"] == read["RAG_OPENAI_API_KEY"] == KEY
    assert read["ENABLE_OLLAMA_API"] == "false"
    assert read["DEFAULT_MODELS"] == CHAT.slug
    assert (read["RAG_EMBEDDING_ENGINE"], read["RAG_EMBEDDING_MODEL"]) == ("openai", "embed")


def test_librechat_reads_a_custom_endpoint() -> None:
    read = yaml.safe_load(code("librechat"))

    (endpoint,) = read["endpoints"]["custom"]
    assert isinstance(read["version"], str)
    assert endpoint["baseURL"] == BASE
    assert endpoint["apiKey"] == "${ILAAS_API_KEY}"
    assert endpoint["models"] == {"default": [CHAT.slug, SMALL.slug], "fetch": True}
    assert endpoint["titleModel"] == CHAT.slug


def test_continue_reads_each_model_with_what_it_is_for() -> None:
    read = yaml.safe_load(code("continue"))

    by_model = {each["model"]: each for each in read["models"]}
    assert (read["schema"], {each["apiBase"] for each in read["models"]}) == ("v1", {BASE})
    assert {each["provider"] for each in read["models"]} == {"openai"}
    assert {each["apiKey"] for each in read["models"]} == {"${{ secrets.ILAAS_API_KEY }}"}
    assert by_model[CHAT.slug]["roles"] == ["chat", "edit", "apply"]
    assert by_model[CHAT.slug]["capabilities"] == ["tool_use", "image_input"]
    assert by_model[CHAT.slug]["defaultCompletionOptions"] == {"contextLength": 65_536}
    assert "defaultCompletionOptions" not in by_model[SMALL.slug]
    assert (by_model["embed"]["roles"], by_model["rank"]["roles"]) == (["embed"], ["rerank"])


def test_opencode_reads_a_provider_and_how_much_its_models_take() -> None:
    read = json.loads(code("opencode"))

    provider = read["provider"]["ilaas"]
    assert read["model"] == f"ilaas/{CHAT.slug}"
    assert provider["npm"] == "@ai-sdk/openai-compatible"
    assert provider["options"] == {"baseURL": BASE, "apiKey": "{env:ILAAS_API_KEY}"}
    assert list(provider["models"]) == [CHAT.slug, SMALL.slug]
    assert provider["models"][CHAT.slug]["limit"] == {"context": 65_536, "output": 16_384}
    assert all(each["limit"]["context"] > 0 for each in provider["models"].values())


def test_codex_reads_a_provider_that_speaks_responses() -> None:
    read = tomllib.loads(code("codex"))

    provider = read["model_providers"][read["model_provider"]]
    assert (read["model"], read["model_context_window"]) == (CHAT.slug, 65_536)
    assert (provider["base_url"], provider["wire_api"]) == (BASE, "responses")
    assert provider["env_key"] == "ILAAS_API_KEY"
    assert provider["name"] == 'ILaaS « "essai" »'


def test_claude_code_reads_an_address_without_v1() -> None:
    read = json.loads(code("claude-code"))["env"]

    assert read["ANTHROPIC_BASE_URL"] == BASE.removesuffix("/v1")
    assert read["ANTHROPIC_MODEL"] == read["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == CHAT.slug
    assert all(isinstance(value, str) for value in read.values())


def test_the_key_is_only_in_the_file_that_must_hold_it() -> None:
    holding = [each for each in client_files(MODELS, KEY) if KEY in each.code]
    assert [each.client for each in holding] == ["open-webui"]
    assert all(each.holds_key for each in holding)


def test_agents_files_are_offered_where_a_model_speaks_their_interface() -> None:
    without = ["open-webui", "librechat", "continue", "opencode"]
    assert names([SMALL, EMBEDDING]) == without
    only_responses = Usable("r", "R", ("chat",), None, frozenset({"responses"}))
    assert names([only_responses]) == [*without, "codex"]
    assert names([EMBEDDING, RERANKING]) == names([]) == []
    bound = Usable("r", "R", ("chat",), None, frozenset({"responses"}), ("responses",))
    assert names([bound]) == ["codex"]


# What a key can be used for.


def a_key(cast: Cast, **scopes: Any) -> ApiKey:
    application = make_application(cast.rennes, cast.rennes_user)
    key, _text = issue_key(by=OPERATOR, application=application, name="k", **scopes)
    return key


def test_a_model_is_usable_where_its_sites_have_the_key_s_labels(
    cast: Cast, deployment: Deployment
) -> None:
    bound = a_key(cast, labels=["HDS"])
    assert usable_models(bound) == []

    set_site_labels(by=OPERATOR, site=deployment.server.site, labels=["hds"])

    (model,) = usable_models(bound)
    assert model.slug == deployment.version.model.slug
    assert model.can(Capability.CHAT), "of a model about which nothing is known"


@pytest.mark.parametrize(
    "scopes", [{"labels": ["own"]}, {"routing_mode": RoutingMode.PRIVATE_ONLY}]
)
def test_own_sites_are_the_institution_s(
    cast: Cast, deployment: Deployment, scopes: dict[str, Any]
) -> None:
    foreign = make_application(cast.reims, cast.reims_dsi)
    theirs, _text = issue_key(by=OPERATOR, application=foreign, name="k", **scopes)

    assert len(usable_models(a_key(cast, **scopes))) == 1
    assert usable_models(theirs) == []


def test_who_speaks_agents_interfaces_is_declared_or_a_vllm(cast: Cast) -> None:
    make_model("on-ollama", facts=ModelFacts(capabilities=(Capability.CHAT,)))
    serve_model(cast.rennes, "on-ollama", engine=Engine.OLLAMA)
    serve_model(cast.rennes, "on-vllm")
    declared = serve_model(cast.rennes, "declared")
    Deployment.objects.filter(pk=declared.pk).update(endpoints=["chat/completions", "responses"])

    spoken = {each.slug: each.agents for each in usable_models(a_key(cast))}
    bound = {each.slug: each.agents for each in usable_models(a_key(cast, endpoints=["messages"]))}

    assert spoken == {"on-ollama": set(), "on-vllm": BOTH, "declared": {"responses"}}
    assert bound == {"on-ollama": set(), "on-vllm": {"messages"}, "declared": set()}


def test_a_file_is_saved_without_the_key_under_the_name_that_its_software_expects(
    cast: Cast,
) -> None:
    make_model("chat-1b", facts=ModelFacts(capabilities=(Capability.CHAT,)))
    serve_model(cast.rennes, "chat-1b")
    key = a_key(cast)
    browser = signed_in_as(cast.rennes_user)

    page = browser.get(f"/keys/{key.pk}/").content.decode()
    file = browser.get(f"/keys/{key.pk}/files/opencode/")

    assert f"/keys/{key.pk}/files/open-webui/" in page
    assert file.headers["Content-Disposition"] == 'attachment; filename="opencode.json"'
    assert json.loads(file.content)["model"] == "ilaas/chat-1b"
    assert "OPENAI_API_KEY=\n" in browser.get(f"/keys/{key.pk}/files/open-webui/").content.decode()
    assert browser.get(f"/keys/{key.pk}/files/emacs/").status_code == 404
    assert signed_in_as(cast.reims_dsi).get(f"/keys/{key.pk}/").status_code == 404
    assert signed_in_as(cast.reims_dsi).get(f"/keys/{key.pk}/files/codex/").status_code == 404
