"""Values follow their schema: kinds, bounds, required properties; a bad schema never harms."""

import json
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.simulator.schema import MAX_VALUES, SchemaError, sample

KINDS: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": type(None),
}
leaves = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-1000, 1000),
        st.integers(0, 50),
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 40),
        st.integers(0, 40),
    ),
    st.lists(st.integers() | st.text(max_size=5), min_size=1, max_size=3).map(
        lambda choices: {"enum": choices}
    ),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.text("abcdef", min_size=1, max_size=4), inner, max_size=3).map(
            lambda found: {"type": "object", "properties": found, "required": list(found)}
        ),
        st.builds(
            lambda items, least: {"type": "array", "items": items, "minItems": least},
            inner,
            st.integers(0, 3),
        ),
    ),
    max_leaves=8,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "enum", "required", "minLength", "anyOf"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def assert_follows(value: Any, schema: dict[str, Any]) -> None:
    if "enum" in schema:
        assert value in schema["enum"]
        return
    kind: type[Any] = KINDS[schema["type"]]
    assert type(value) is kind
    match schema["type"]:
        case "integer":
            assert schema["minimum"] <= value <= schema["maximum"]
        case "string":
            assert schema["minLength"] <= len(value) <= schema["maxLength"]
        case "array":
            assert len(value) >= schema["minItems"]
            for each in value:
                assert_follows(each, schema["items"])
        case "object":
            assert set(value) == set(schema["required"])
            for name, each in value.items():
                assert_follows(each, schema["properties"][name])


@given(schemas, st.integers(0, 5))
def test_a_value_follows_its_schema(schema: dict[str, Any], seed: int) -> None:
    assert_follows(sample(schema, random.Random(seed)), schema)


@given(anything)
def test_whatever_is_given_for_a_schema_there_is_a_value_or_a_refusal(schema: object) -> None:
    with suppress(SchemaError):
        json.dumps(sample(schema, random.Random(0)))


def test_a_reference_is_followed() -> None:
    city = {"type": "string", "enum": ["Reims"]}
    schema = {"$ref": "#/$defs/city", "$defs": {"city": city}}

    assert sample(schema, random.Random(0)) == "Reims"


def test_a_schema_that_holds_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "other": {"$ref": "#"}}}

    value = json.dumps(sample(node, random.Random(0)))

    assert value.count(":") <= 2 * MAX_VALUES


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(SchemaError, match="Invalid type: nonsense"):
        sample({"type": "nonsense"}, random.Random(0))


def test_the_first_of_several_types_and_alternatives_is_taken() -> None:
    assert sample({"type": ["null", "string"]}, random.Random(0)) is None
    assert sample({"anyOf": [{"const": 7}, {"type": "string"}]}, random.Random(0)) == 7
