"""JSON bodies: only our fields change, every other byte stays, whatever else is in the body."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.core.usage import PICTURE_TOKENS
from routing.gateway.errors import ApiError
from routing.gateway.schemas import MAX_FIELDS, OURS, REMOVED, JsonBody

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FOREIGN = st.text(max_size=12).filter(lambda name: name.casefold() not in OURS)
SPACE = st.text(" \t\n\r", max_size=3)
OWN: dict[str, st.SearchStrategy[Any]] = {
    "model": st.text(max_size=20),
    "priority": st.integers(1, 5),
    "routing-mode": st.sampled_from(["any", "private-only"]),
    "stream": st.booleans(),
    "stream_options": st.dictionaries(FOREIGN, VALUES, max_size=2) | st.none(),
}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, list[tuple[str, Any]]]:
    """Draw a JSON object with odd spaces and escapes, and its members in order."""
    names = {"model", *draw(st.sets(st.sampled_from(sorted(OWN))))}
    members = [(name, draw(OWN[name])) for name in names]
    members += draw(st.dictionaries(FOREIGN, VALUES, max_size=5)).items()
    members = draw(st.permutations(members))
    ascii_only = draw(st.booleans())
    parts = [
        f"{draw(SPACE)}{json.dumps(name, ensure_ascii=ascii_only)}{draw(SPACE)}:"
        f"{draw(SPACE)}{json.dumps(value, ensure_ascii=ascii_only)}{draw(SPACE)}"
        for name, value in members
    ]
    text = draw(SPACE) + "{" + ",".join(parts) + "}" + draw(SPACE)
    return text, members


def encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@given(bodies().filter(lambda drawn: encodable(drawn[0]) and "\\ud" not in drawn[0]), st.booleans())
def test_only_our_fields_change(drawn: tuple[str, list[tuple[str, Any]]], ask_usage: bool) -> None:
    text, members = drawn

    rewritten = JsonBody(text.encode()).rewritten("served", ask_usage=ask_usage).decode()

    expected = [
        (name, "served" if name == "model" else value)
        for name, value in members
        if name not in REMOVED
    ]
    found = json.loads(rewritten, object_pairs_hook=list)
    expected_text = json.dumps(dict(expected))
    if ask_usage:
        options = dict(json.loads(rewritten)["stream_options"])
        assert options["include_usage"] is True
        given_options = dict(members).get("stream_options") or {}
        assert options | given_options | {"include_usage": True} == options
        found = [member for member in found if member[0] != "stream_options"]
        expected_text = json.dumps({k: v for k, v in expected if k != "stream_options"})
    assert [name for name, _ in found] == list(json.loads(expected_text))
    for name, value in members:
        member = json.dumps(value), json.dumps(value, ensure_ascii=False)
        if name not in OURS:
            assert any(each in rewritten for each in member)  # each foreign value, byte for byte


@given(bodies().filter(lambda drawn: encodable(drawn[0]) and "\\ud" not in drawn[0]))
def test_a_body_with_nothing_of_ours_but_the_model_changes_there_alone(
    drawn: tuple[str, list[tuple[str, Any]]],
) -> None:
    text, members = drawn
    if REMOVED & {name for name, _ in members}:
        return
    model = dict(members)["model"]

    rewritten = JsonBody(text.encode()).rewritten(model, ask_usage=False).decode()

    assert json.loads(rewritten) == json.loads(text)
    assert rewritten in (
        text,
        text.replace(json.dumps(model), json.dumps(model, ensure_ascii=False)),
    )


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace"))
)
def test_anything_else_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with suppress(ApiError):
        assert JsonBody(data).size == len(data)
        assert isinstance(json.loads(data), dict)


@pytest.mark.parametrize(
    ("body", "rewritten"),
    [
        ('{"model":"m","priority":1,"routing-mode":"any"}', '{"model":"x"}'),
        ('{"priority":1,"routing-mode":"any","model":"m"}', '{"model":"x"}'),
        ('{"priority":1,"model":"m","routing-mode":"any"}', '{"model":"x"}'),
        ('{"a":[1],"priority":1 ,"model":"m","b":{}}', '{"a":[1],"model":"x","b":{}}'),
        ('{ "model" : "m" , "priority" : 1 }', '{ "model" : "x" }'),
        ('{"mod\\u0065l":"m"}', '{"mod\\u0065l":"x"}'),
        ('{"x":{"model":"m"},"model":"m"}', '{"x":{"model":"m"},"model":"x"}'),
    ],
)
def test_what_is_ours_goes_with_one_comma(body: str, rewritten: str) -> None:
    assert JsonBody(body.encode()).rewritten("x", ask_usage=False).decode() == rewritten


@pytest.mark.parametrize(
    ("body", "rewritten"),
    [
        ('{"model":"m"}', '{"model":"x","priority":3}'),
        ('{"model":"m","priority":2,"a":1.0e0}', '{"model":"x","priority":3,"a":1.0e0}'),
        ('{"priority" : 5 ,"model":"m"}', '{"priority" : 3 ,"model":"x"}'),
        ('{"model":"m","routing-mode":"any","priority":2}', '{"model":"x","priority":3}'),
        ('{"priority":2,"routing-mode":"any","model":"m" }', '{"priority":3,"model":"x" }'),
        ('{"model":"m","routing-mode":"any" }', '{"model":"x" ,"priority":3}'),
    ],
)
def test_a_server_is_told_a_priority_in_the_place_of_the_client_s(
    body: str, rewritten: str
) -> None:
    found = JsonBody(body.encode()).rewritten("x", ask_usage=False, priority=3).decode()

    assert found == rewritten


def test_a_priority_and_usage_can_be_added_at_once() -> None:
    found = JsonBody(b'{"model":"m","routing-mode":"any"}').rewritten(
        "x", ask_usage=True, priority=0
    )

    assert json.loads(found) == {
        "model": "x",
        "stream_options": {"include_usage": True},
        "priority": 0,
    }


@pytest.mark.parametrize(
    ("body", "rewritten"),
    [
        ('{"model":"m"}', '{"model":"x","stream_options":{"include_usage":true}}'),
        (
            '{"model":"m","stream_options":null}',
            '{"model":"x","stream_options":{"include_usage":true}}',
        ),
        (
            '{"model":"m","stream_options":{"include_usage":false,"a":1}} ',
            '{"model":"x","stream_options":{"include_usage":true,"a":1}} ',
        ),
        (
            '{"stream_options":{ "include_usage" : true },"model":"m"}',
            '{"stream_options":{ "include_usage" : true },"model":"x"}',
        ),
    ],
)
def test_usage_is_asked_for(body: str, rewritten: str) -> None:
    assert JsonBody(body.encode()).rewritten("x", ask_usage=True).decode() == rewritten


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"a","model":"b"}',
        '{"model":"a","mod\\u0065l":"b"}',
        '{"model":"a","Model":"b"}',
        '{"model":"a","MODEL":"b"}',
        '{"model":"a","\u017ftream":true}',
        '{"model":"a","Routing-Mode":"any"}',
        '{"x":1,"model":"a","x":2}',
        '{"x":1,"model":"a","x":1}',
    ],
)
def test_a_field_given_twice_or_in_another_spelling_is_refused(body: str) -> None:
    """Engines match names differently: the router must not check one model and a server serve another."""
    with pytest.raises(ApiError) as refused:
        JsonBody(body.encode())

    assert refused.value.code == "ambiguous_field"


@given(st.lists(st.tuples(st.sampled_from("ab"), VALUES), min_size=2, max_size=5))
def test_any_repeated_name_is_noticed(members: list[tuple[str, Any]]) -> None:
    text = "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in members) + "}"
    repeated = len({name for name, _ in members}) < len(members)

    if repeated:
        with pytest.raises(ApiError):
            JsonBody(text.encode())
    elif encodable(text) and "\\ud" not in text:
        JsonBody(text.encode())


def test_a_body_may_have_many_fields_but_not_any_number() -> None:
    fields = [f'"f{number}":[{number}]' for number in range(MAX_FIELDS - 1)]
    most = "{" + ",".join(['"model":"m"', *fields]) + "}"

    assert '"model":"x"' in JsonBody(most.encode()).rewritten("x", ask_usage=False).decode()
    with pytest.raises(ApiError) as refused:
        JsonBody(most.replace("{", '{"one more":1,').encode())
    assert (refused.value.code, refused.value.status) == ("invalid_json", 400)
    assert str(MAX_FIELDS) in refused.value.message


def test_the_parsing_ends_at_the_first_field_that_is_too_many() -> None:
    """What stands behind is never read, or it would be told that this is no JSON."""
    fields = "".join(f'"f{number}":1,' for number in range(MAX_FIELDS + 1))

    with pytest.raises(ApiError) as refused:
        JsonBody(("{" + fields + "no JSON").encode())

    assert str(MAX_FIELDS) in refused.value.message


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [("a", 1), (["a", "b"], 2), ([[1, 2], [3]], 2), ([1, 2, 3], 1), ([], 1), ([1, "a"], 1), (7, 1)],
)
def test_each_of_several_prompts_is_answered(prompt: Any, prompts: int) -> None:
    assert JsonBody(json.dumps({"model": "m", "prompt": prompt}).encode()).prompts == prompts


def test_what_a_prompt_is_hardly_more_than_is_read_of_what_the_model_reads() -> None:
    text = json.dumps({"model": "m", "messages": [{"content": [{"image_url": "x" * 3000}]}]})

    assert PICTURE_TOKENS < JsonBody(text.encode()).prompt_most < PICTURE_TOKENS + 100
    assert JsonBody(json.dumps({"model": "m", "input": "x" * 3000}).encode()).prompt_most > 1500
