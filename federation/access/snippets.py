"""A first call, ready to paste: the same request for curl, Python and JavaScript. Text only; nothing is sent."""

from collections.abc import Collection
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from federation.access.offer import SUITED
from routing.core.enums import Endpoint

_CURL = """\
curl {base}/{path} \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{body}'
"""
_CURL_WITH_FILE = """\
curl {base}/{path} \\
  -H "Authorization: Bearer {key}" \\
  -F model={body} \\
  -F file=@parole.wav
"""
_PYTHON = """\
# pip install openai
from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
{call}
"""
_JAVASCRIPT = """\
// npm install openai
// node call.mjs
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base}", apiKey: "{key}" }});
{call}
"""


class Snippet(NamedTuple):
    """`language` names it in addresses and highlighters, `title` on the page."""

    language: str
    title: str
    code: str


class _Call(NamedTuple):
    """How one endpoint is asked. `{model}` is filled in; the clients of OpenAI know no reranking."""

    path: str
    body: str
    python: str = ""
    javascript: str = ""
    curl: str = _CURL


_CHAT = _Call(
    path="chat/completions",
    body='{{"model": "{model}", "messages": [{{"role": "user", "content": "{hello}"}}]}}',
    python="""\
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "{hello}"}}],
)
print(answer.choices[0].message.content)""",
    javascript="""\
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "{hello}" }}],
}});
console.log(answer.choices[0].message.content);""",
)
_RESPONSES = _Call(
    path="responses",
    body='{{"model": "{model}", "input": "Bonjour !"}}',
    python="""\
answer = client.responses.create(model="{model}", input="Bonjour !")
print(answer.output_text)""",
    javascript="""\
const answer = await client.responses.create({{ model: "{model}", input: "Bonjour !" }});
console.log(answer.output_text);""",
)
_MESSAGES = _Call(
    path="messages",
    body=(
        '{{"model": "{model}", "max_tokens": 200, '
        '"messages": [{{"role": "user", "content": "Bonjour !"}}]}}'
    ),
)
_COMPLETIONS = _Call(
    path="completions",
    body='{{"model": "{model}", "prompt": "Bonjour", "max_tokens": 50}}',
    python="""\
answer = client.completions.create(model="{model}", prompt="Bonjour", max_tokens=50)
print(answer.choices[0].text)""",
    javascript="""\
const answer = await client.completions.create({{
  model: "{model}",
  prompt: "Bonjour",
  max_tokens: 50,
}});
console.log(answer.choices[0].text);""",
)
_EMBEDDINGS = _Call(
    path="embeddings",
    body='{{"model": "{model}", "input": ["{hello}"]}}',
    python="""\
answer = client.embeddings.create(model="{model}", input=["{hello}"])
print(answer.data[0].embedding[:5])""",
    javascript="""\
const answer = await client.embeddings.create({{ model: "{model}", input: ["{hello}"] }});
console.log(answer.data[0].embedding.slice(0, 5));""",
)
_RERANK = _Call(
    path="rerank",
    body='{{"model": "{model}", "query": "{hello}", "documents": ["{hello}", "{bye}"]}}',
)
_TRANSCRIPTION = _Call(
    path="audio/transcriptions",
    body="{model}",
    python="""\
with open("parole.wav", "rb") as sound:
    answer = client.audio.transcriptions.create(model="{model}", file=sound)
print(answer.text)""",
    javascript="""\
import {{ createReadStream }} from "node:fs";

const answer = await client.audio.transcriptions.create({{
  model: "{model}",
  file: createReadStream("parole.wav"),
}});
console.log(answer.text);""",
    curl=_CURL_WITH_FILE,
)


def base_url() -> str:
    """Return the address that clients are given."""
    return f"{settings.PUBLIC_URL}/v1"


_CALLS = {
    Endpoint.CHAT: _CHAT,
    Endpoint.RESPONSES: _RESPONSES,
    Endpoint.MESSAGES: _MESSAGES,
    Endpoint.COMPLETIONS: _COMPLETIONS,
    Endpoint.EMBEDDINGS: _EMBEDDINGS,
    Endpoint.RERANK: _RERANK,
    Endpoint.TRANSCRIPTIONS: _TRANSCRIPTION,
}


def usual_endpoint(capabilities: Collection[str]) -> Endpoint:
    """Return the interface by which a model is asked that can do this."""
    order = (Endpoint.CHAT, Endpoint.EMBEDDINGS, Endpoint.TRANSCRIPTIONS, Endpoint.RERANK)
    return next((each for each in order if SUITED[each] in capabilities), Endpoint.CHAT)


def snippets(model: str, endpoint: Endpoint, key: str) -> list[Snippet]:
    """Return the calls of an interface; `key` stands in them as it is."""
    call = _CALLS[endpoint]
    known = {"base": base_url(), "key": key, "path": call.path}
    said = {"model": model, "hello": _("Hello"), "bye": _("Goodbye")}
    templates = (
        ("bash", "curl", call.curl, call.body),
        ("python", "Python", _PYTHON, call.python),
        ("javascript", "JavaScript", _JAVASCRIPT, call.javascript),
    )
    return [
        Snippet(
            language,
            title,
            template.format(**known, body=text.format(**said), call=text.format(**said)),
        )
        for language, title, template, text in templates
        if text
    ]
