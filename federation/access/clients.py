"""Configuration files for the software that people put in front of models, ready to be saved. Text only.

A file names the key by the variable `ILAAS_API_KEY` wherever its software can read one, so that it holds no secret.
What each software reads was looked up in its own documentation; `tests/integration/access/test_clients.py` holds it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from federation.access.offer import Usable
from federation.access.snippets import base_url
from federation.catalogue.enums import Capability
from routing.core.enums import Endpoint

VARIABLE = "ILAAS_API_KEY"
PROVIDER = "ilaas"
ANSWER_SHARE = 4
"""opencode asks how long an answer may be: a quarter of the window leaves room for the question."""
USUAL_CONTEXT = 32_768
"""Of a model whose window the catalogue does not know, where a file must say one."""

Models = Sequence[Usable]


class ClientFile(NamedTuple):
    """`client` names it in addresses; `where` says what to do with it. `holds_key`: it has the key's own text."""

    client: str
    title: str
    name: str
    where: str | Promise
    code: str
    holds_key: bool = False

    @property
    def language(self) -> str:
        """What tells it from the other snippets of a page."""
        return self.client


class _Client(NamedTuple):
    client: str
    title: str
    name: str
    where: str | Promise
    write: Callable[[Models, str], str]
    suits: Callable[[Usable], bool]
    holds_key: bool = False


def client_files(models: Models, key: str = "") -> list[ClientFile]:
    """Return the files that suit a key's models; without its text, one that must hold it leaves its place empty."""
    found = []
    for each in CLIENTS:
        suited = [model for model in models if each.suits(model)]
        if any(model.can(Capability.CHAT) for model in suited):
            code = each.write(suited, key)
            found.append(
                ClientFile(each.client, each.title, each.name, each.where, code, each.holds_key)
            )
    return found


def _chat(models: Models) -> list[Usable]:
    return [model for model in models if model.can(Capability.CHAT)]


def _first(models: Models, capability: Capability) -> Usable | None:
    return next((model for model in models if model.can(capability)), None)


def _open_webui(models: Models, key: str) -> str:
    """An environment file. Its own interface asks for embeddings at addresses of their own."""
    known = {
        "OPENAI_API_BASE_URL": base_url(),
        "OPENAI_API_KEY": key,
        "ENABLE_OLLAMA_API": "false",
        "DEFAULT_MODELS": _chat(models)[0].slug,
    }
    if embedding := _first(models, Capability.EMBEDDINGS):
        known |= {
            "RAG_EMBEDDING_ENGINE": "openai",
            "RAG_EMBEDDING_MODEL": embedding.slug,
            "RAG_OPENAI_API_BASE_URL": base_url(),
            "RAG_OPENAI_API_KEY": key,
        }
    return "".join(f"{name}={value}\n" for name, value in known.items())


def _librechat(models: Models, key: str) -> str:
    chat = [model.slug for model in _chat(models)]
    endpoint = {
        "name": settings.SITE_NAME,
        "apiKey": f"${{{VARIABLE}}}",
        "baseURL": base_url(),
        "models": {"default": chat, "fetch": True},
        "titleConvo": True,
        "titleModel": chat[0],
        "modelDisplayLabel": settings.SITE_NAME,
    }
    return _yaml({"version": "1.2.1", "cache": True, "endpoints": {"custom": [endpoint]}})


def _continue(models: Models, key: str) -> str:
    return _yaml(
        {
            "name": settings.SITE_NAME,
            "version": "1.0.0",
            "schema": "v1",
            "models": [_for_continue(model) for model in models if _roles(model)],
        }
    )


def _roles(model: Usable) -> list[str]:
    if model.can(Capability.CHAT):
        return ["chat", "edit", "apply"]
    if model.can(Capability.EMBEDDINGS):
        return ["embed"]
    return ["rerank"] if model.can(Capability.RERANK) else []


def _for_continue(model: Usable) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": model.slug,
        "provider": "openai",
        "model": model.slug,
        "apiBase": base_url(),
        "apiKey": f"${{{{ secrets.{VARIABLE} }}}}",
        "roles": _roles(model),
    }
    told = {Capability.TOOLS: "tool_use", Capability.VISION: "image_input"}
    if capabilities := [word for capability, word in told.items() if model.can(capability)]:
        entry["capabilities"] = capabilities
    if model.context and model.can(Capability.CHAT):
        entry["defaultCompletionOptions"] = {"contextLength": model.context}
    return entry


def _opencode(models: Models, key: str) -> str:
    chat = _chat(models)
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": settings.SITE_NAME,
        "options": {"baseURL": base_url(), "apiKey": f"{{env:{VARIABLE}}}"},
        "models": {
            model.slug: {
                "name": model.slug,
                "limit": {
                    "context": model.context or USUAL_CONTEXT,
                    "output": (model.context or USUAL_CONTEXT) // ANSWER_SHARE,
                },
            }
            for model in chat
        },
    }
    return _json(
        {
            "$schema": "https://opencode.ai/config.json",
            "provider": {PROVIDER: provider},
            "model": f"{PROVIDER}/{chat[0].slug}",
        }
    )


def _codex(models: Models, key: str) -> str:
    """TOML; its basic strings are written as JSON's are."""
    model = _chat(models)[0]
    lines = [f"model = {json.dumps(model.slug)}", f'model_provider = "{PROVIDER}"']
    if model.context:
        lines.append(f"model_context_window = {model.context}")
    lines += [
        "",
        f"[model_providers.{PROVIDER}]",
        f"name = {json.dumps(settings.SITE_NAME, ensure_ascii=False)}",
        f"base_url = {json.dumps(base_url())}",
        f'env_key = "{VARIABLE}"',
        'wire_api = "responses"',
    ]
    return "\n".join(lines) + "\n"


def _claude_code(models: Models, key: str) -> str:
    """Its base address is without /v1. The key comes by `ANTHROPIC_AUTH_TOKEN`, which this file leaves to the shell."""
    model = _chat(models)[0]
    public = urlsplit(base_url())
    return _json(
        {
            "env": {
                "ANTHROPIC_BASE_URL": f"{public.scheme}://{public.netloc}",
                "ANTHROPIC_MODEL": model.slug,
                "ANTHROPIC_DEFAULT_HAIKU_MODEL": model.slug,
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            }
        }
    )


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _yaml(content: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    return text


def _usual(model: Usable) -> bool:
    """By the interfaces that every software asks."""
    usual = (Endpoint.CHAT, Endpoint.EMBEDDINGS, Endpoint.RERANK)
    return any(model.answers(endpoint) for endpoint in usual)


def _speaks(endpoint: Endpoint) -> Callable[[Usable], bool]:
    return lambda model: model.answers(endpoint)


CLIENTS = (
    _Client(
        "open-webui", "Open WebUI", "open-webui.env",
        _(
            "Start Open WebUI with it, such as by docker run --env-file open-webui.env. "
            "It holds the key: keep it to yourself."
        ),
        _open_webui, _usual, holds_key=True,
    ),
    _Client(
        "librechat", "LibreChat", "librechat.yaml",
        _("Put it beside LibreChat’s .env, and the key into that, as ILAAS_API_KEY."),
        _librechat, _usual,
    ),
    _Client(
        "continue", "Continue", "config.yaml",
        _("Save it as ~/.continue/config.yaml, and the key in ~/.continue/.env as ILAAS_API_KEY."),
        _continue, _usual,
    ),
    _Client(
        "opencode", "opencode", "opencode.json",
        _("Save it in the project’s folder, and start opencode with the key in the variable ILAAS_API_KEY."),
        _opencode, _usual,
    ),
    _Client(
        "codex", "Codex", "config.toml",
        _("Save it as ~/.codex/config.toml, and start codex with the key in the variable ILAAS_API_KEY."),
        _codex, _speaks(Endpoint.RESPONSES),
    ),
    _Client(
        "claude-code", "Claude Code", "settings.json",
        _(
            "Save it as .claude/settings.json in the project’s folder, and start claude with the key in the "
            "variable ANTHROPIC_AUTH_TOKEN."
        ),
        _claude_code, _speaks(Endpoint.MESSAGES),
    ),
)  # fmt: skip
