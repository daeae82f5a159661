"""A value that follows a JSON schema: enough of the language for tools and structured answers.

Follows types, required properties, enums, bounds and local references; patterns and conditions are
ignored. Not a validator.
"""

import random
from collections.abc import Callable
from typing import Any

WORDS = ("Rennes", "Reims", "Orléans", "Strasbourg", "Nice", "Paris")
FORMATS = {
    "date": "2026-11-23",
    "date-time": "2026-11-23T08:15:00Z",
    "time": "08:15:00",
    "email": "contact@example.org",
    "uri": "https://example.org/",
    "uuid": "3f2b8c1e-5d4a-4e6f-9a7b-1c2d3e4f5a6b",
}
# A schema that refers to itself, or a very long one, stops here.
MAX_DEPTH, MAX_VALUES = 12, 500
LONGEST_STRING, LONGEST_ARRAY, LARGEST = 10_000, 100, 10**15

Schema = dict[str, Any]


class SchemaError(Exception):
    """Not a schema; the text says why."""


def sample(schema: object, rng: random.Random) -> Any:
    """A value for `schema`; an empty schema gets a small object."""
    if not isinstance(schema, dict):
        raise SchemaError("a schema is an object")
    return _Sampler(schema, rng).value(schema or {"type": "object"}, 0)


class _Sampler:
    def __init__(self, root: Schema, rng: random.Random) -> None:
        self._root = root
        self._rng = rng
        self._left = MAX_VALUES
        self._makers: dict[str, Callable[[Schema, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": lambda schema, _: self._string(schema),
            "integer": lambda schema, _: self._integer(schema),
            "number": lambda schema, _: float(self._integer(schema)),
            "boolean": lambda *_: self._rng.random() < 0.5,
            "null": lambda *_: None,
        }

    def value(self, schema: object, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._left < 0:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(choices := schema.get("enum"), list) and choices:
            return self._rng.choice(choices)
        if isinstance(reference := schema.get("$ref"), str):
            return self.value(self._resolved(reference), depth + 1)
        for key in ("anyOf", "oneOf", "allOf"):
            if isinstance(options := schema.get(key), list) and options:
                return self.value(options[0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if not isinstance(kind, str) or kind not in self._makers:
            raise SchemaError(f"Invalid type: {kind}")
        return self._makers[kind](schema, depth)

    def _resolved(self, reference: str) -> object:
        place: object = self._root
        for step in filter(None, reference.removeprefix("#").split("/")):
            place = place.get(step) if isinstance(place, dict) else None
        return place

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        names = required if isinstance(required, list) and required else list(properties)
        anything = {"type": "string"}
        return {
            str(name): self.value(properties.get(str(name), anything), depth + 1) for name in names
        }

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        length = min(_int(schema.get("minItems"), 1), LONGEST_ARRAY)
        return [
            self.value(schema.get("items", {"type": "string"}), depth + 1) for _ in range(length)
        ]

    def _string(self, schema: Schema) -> str:
        text = FORMATS.get(str(schema.get("format")), self._rng.choice(WORDS))
        shortest = min(_int(schema.get("minLength"), 0), LONGEST_STRING)
        while len(text) < shortest:
            text += f" {self._rng.choice(WORDS)}"
        return text[: max(_int(schema.get("maxLength"), len(text)), 0)]

    def _integer(self, schema: Schema) -> int:
        highest = _int(schema.get("maximum"), 40)
        lowest = _int(schema.get("minimum"), min(0, highest))
        return self._rng.randint(lowest, max(lowest, highest))


def _int(value: object, otherwise: int) -> int:
    """A whole number near `value`, small enough for every kind of number."""
    if not isinstance(value, int | float) or value != value:
        return otherwise
    return int(min(max(value, -LARGEST), LARGEST))
