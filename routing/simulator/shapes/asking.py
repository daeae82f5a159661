"""What a request asks for, read from the OpenAI and Anthropic dialects into an `Ask`.

Types and lengths only. What an engine forbids beyond that, and how it says so, is the engine's.
"""

import hashlib
from typing import Any

import msgspec

from routing.simulator.text import Ask, count_tokens

Body = dict[str, Any]

# What a template adds to each message, and what one picture takes, in tokens.
TOKENS_PER_MESSAGE, TOKENS_PER_PICTURE = 4, 576
# One request may start this many sequences: a mistyped `n` must not stop the whole process.
MAX_SEQUENCES = 256
COMPLETION_TOKENS = 16


class Invalid(Exception):
    """A field that cannot be read, in the words that Python's validators use."""

    def __init__(self, field: str, problem: str, sentence: str, given: object) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.problem = problem
        self.sentence = sentence
        self.given = given


def decoded(body: bytes) -> Any:
    """The JSON in a body. Raises ValueError for anything that is none, however deep."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def chat(body: Body) -> Ask:
    """A conversation of `/v1/chat/completions`, and of Ollama's `/api/chat`."""
    messages = _messages(body)
    tools, forced = _tools(body, messages)
    given = [messages, tools, forced, body.get("response_format")]
    return Ask(
        prompts=(_message_tokens(messages) + _tool_tokens(body),),
        fingerprint=_fingerprint(given),
        last_words=_last_words(messages),
        n=_bounded(body, "n", 1),
        max_tokens=_first_integer(body, "max_completion_tokens", "max_tokens"),
        min_tokens=_min_tokens(body),
        tools=tools,
        forced=forced,
        schema=_schema(body.get("response_format")),
    )


def completion(body: Body) -> Ask:
    """A prompt, or several, of `/v1/completions`."""
    texts = prompts(body, "prompt")
    return Ask(
        prompts=tuple(map(_tokens, texts)),
        fingerprint=_fingerprint(texts),
        last_words=next((text for text in reversed(texts) if isinstance(text, str)), ""),
        n=_bounded(body, "n", len(texts)),
        max_tokens=integer(body, "max_tokens", COMPLETION_TOKENS),
        min_tokens=_min_tokens(body),
        schema=_schema(body.get("response_format")),
    )


def response(body: Body) -> Ask:
    """An input of `/v1/responses`: a text, or items that are messages. Tools are not called."""
    given = _present(body, "input")
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(messages, list):
        raise Invalid("input", "list_type", "Input should be a valid list", given)
    return _plain(body, messages, "max_output_tokens", str(body.get("instructions") or ""))


def message(body: Body) -> Ask:
    """A conversation of Anthropic's `/v1/messages`. Tools are not called."""
    return _plain(body, _messages(body), "max_tokens", _text(body.get("system")))


def embedding(texts: list[str | list[int]]) -> Ask:
    """Texts to read and not to answer."""
    return Ask(prompts=tuple(map(_tokens, texts)), fingerprint="", max_tokens=0)


def rerank(body: Body) -> tuple[str, list[str]]:
    """The query of `/v1/rerank` and the texts to sort."""
    query, documents = _present(body, "query"), _present(body, "documents")
    if not isinstance(query, str):
        raise Invalid("query", "string_type", "Input should be a valid string", query)
    if not isinstance(documents, list) or not documents:
        raise Invalid("documents", "list_type", "Input should be a list of texts", documents)
    if len(documents) >= MAX_SEQUENCES:
        sentence = f"List should have fewer than {MAX_SEQUENCES} items"
        raise Invalid("documents", "too_long", sentence, documents)
    return query, [_text([each] if isinstance(each, dict) else each) for each in documents]


def prompts(body: Body, field: str) -> list[str | list[int]]:
    """The texts of a field that may hold one text, several, or either as token numbers."""
    given = _present(body, field)
    several = given if isinstance(given, list) else [given]
    if several and all(_is_integer(number) for number in several):
        several = [several]
    if not several or not all(_is_text(each) for each in several):
        sentence = "Input should be a text, token numbers, or a list of either"
        raise Invalid(field, "value_error", sentence, given)
    if len(several) > MAX_SEQUENCES:
        raise Invalid(field, "too_long", f"List should have at most {MAX_SEQUENCES} items", given)
    return several


def integer(body: Body, field: str, otherwise: int | None = None) -> int | None:
    value = body.get(field)
    if value is None:
        return otherwise
    if not _is_integer(value):
        sentence = "Input should be a valid integer"
        raise Invalid(field, "int_parsing", sentence, value)
    if value < 0:
        raise Invalid(field, "greater_than_equal", "Input should be at least 0", value)
    return int(value)


def number(body: Body, field: str) -> float | None:
    value = body.get(field)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    unparsed = ", unable to parse string as a number" if isinstance(value, str) else ""
    raise Invalid(field, "float_parsing", f"Input should be a valid number{unparsed}", value)


def pictures(body: Body) -> bool:
    """Whether a message brings a picture."""
    contents = (each.get("content") for each in _messages(body))
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


def _messages(body: Body) -> list[Body]:
    messages = _present(body, "messages")
    if not isinstance(messages, list):
        raise Invalid("messages", "list_type", "Input should be a valid list", messages)
    for index, each in enumerate(messages):
        if not isinstance(each, dict):
            place = f"messages.{index}"
            raise Invalid(place, "dict_type", "Input should be a valid dictionary", each)
    return messages


def _plain(body: Body, messages: list[Any], limit: str, instructions: str) -> Ask:
    spoken = [each for each in messages if isinstance(each, dict)]
    return Ask(
        prompts=(_message_tokens(spoken) + count_tokens(instructions) + _tool_tokens(body),),
        fingerprint=_fingerprint([messages, instructions]),
        last_words=_last_words(spoken),
        max_tokens=integer(body, limit),
    )


def _present(body: Body, field: str) -> Any:
    if field not in body:
        raise Invalid(field, "missing", "Field required", body)
    return body[field]


def _tools(body: Body, messages: list[Body]) -> tuple[tuple[Body, ...], bool]:
    """The tools that may be called now, and whether one must be."""
    given = body.get("tools") or []
    if not isinstance(given, list):
        raise Invalid("tools", "list_type", "Input should be a valid list", given)
    functions = [tool.get("function") for tool in given if isinstance(tool, dict)]
    named = tuple(each for each in functions if isinstance(each, dict) and "name" in each)
    match body.get("tool_choice"):
        case "none":
            return (), False
        case "required":
            return named, True
        case {"function": {"name": name}}:
            return tuple(each for each in named if each["name"] == name), True
    # Nobody who has just got a tool's answer waits for the same call again.
    answered = bool(messages) and messages[-1].get("role") == "tool"
    return (() if answered else named), False


def _schema(response_format: object) -> Body | None:
    match response_format:
        case {"type": "json_object"}:
            return {}
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
    return None


def _bounded(body: Body, field: str, prompts: int) -> int:
    value = integer(body, field, 1) or 1
    if value * prompts > MAX_SEQUENCES:
        most = MAX_SEQUENCES // prompts
        raise Invalid(field, "less_than_equal", f"Input should be at most {most}", value)
    return value


def _first_integer(body: Body, *fields: str) -> int | None:
    found = (integer(body, field) for field in fields)
    return next((value for value in found if value is not None), None)


def _min_tokens(body: Body) -> int:
    """vLLM's `min_tokens` and `ignore_eos`: benchmarks ask for answers of a fixed length with them."""
    if body.get("ignore_eos") is True:
        return _first_integer(body, "max_completion_tokens", "max_tokens") or 0
    return integer(body, "min_tokens") or 0


def _message_tokens(messages: list[Body]) -> int:
    return sum(
        TOKENS_PER_MESSAGE
        + count_tokens(_text(each.get("content")))
        + _picture_tokens(each.get("content"))
        for each in messages
    )


def _tool_tokens(body: Body) -> int:
    return len(msgspec.json.encode(body["tools"])) // 4 if body.get("tools") else 0


def _picture_tokens(content: object) -> int:
    parts = content if isinstance(content, list) else []
    return TOKENS_PER_PICTURE * sum(
        1 for part in parts if isinstance(part, dict) and "image" in str(part.get("type"))
    )


def _text(content: object) -> str:
    """The words of a message: a string, or the `text` of its parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _last_words(messages: list[Body]) -> str:
    """What the person said last."""
    spoken = (each for each in reversed(messages) if each.get("role", "user") == "user")
    return _text(next(spoken, {}).get("content"))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(_is_integer, value)))


def _tokens(text: str | list[int]) -> int:
    return count_tokens(text) if isinstance(text, str) else max(1, len(text))


def _fingerprint(value: object) -> str:
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=16).hexdigest()
