"""The public name in answers: members only, never what a model wrote."""

import json

import pytest

from routing.gateway.renaming import MAX_NAME, Renaming


@pytest.mark.parametrize("space", ["", " "])
def test_a_served_name_becomes_the_public_one(space: str) -> None:
    renaming = Renaming("srv", "public")
    renaming.learn(b'"srv"')

    renamed = renaming.apply(f'{{"id":"x","model":{space}"srv","n":1}}'.encode())

    assert renamed.decode() == f'{{"id":"x","model":{space}"public","n":1}}'
    assert renaming.seen == "srv"


def test_what_a_model_wrote_is_left_alone() -> None:
    renaming = Renaming("srv", "public")
    renaming.learn(b'"srv"')
    body = json.dumps({"model": "srv", "content": '{"model": "srv"} "model":"srv"'}).encode()

    assert json.loads(renaming.apply(body)) == {
        "model": "public",
        "content": '{"model": "srv"} "model":"srv"',
    }


def test_a_server_that_uses_the_public_name_costs_nothing() -> None:
    renaming = Renaming("public", "public")
    renaming.learn(b'"public"')
    body = b'{"model":"public"}'

    assert renaming.apply(body) is body


def test_the_name_asked_for_is_preferred_among_several() -> None:
    renaming = Renaming("srv", "public")

    renaming.learn_from(b'data: {"metadata":{"model":"mine"},"model":"srv"}\n\n')

    assert renaming.seen == "srv"
    assert b"mine" in renaming.apply(b'{"metadata":{"model":"mine"},"model":"srv"}')


def test_of_an_endless_name_only_so_much_is_kept_as_a_record_holds() -> None:
    renaming, name = Renaming("srv", "public"), "x" * 100_000

    renaming.learn(json.dumps(name).encode())

    assert renaming.seen == name[:MAX_NAME]
    assert renaming.apply(f'{{"model":"{name}"}}'.encode()) == b'{"model":"public"}'


@pytest.mark.parametrize("raw", [b'"\xff"', b'"\\ud800"', b'"'])
def test_a_name_that_cannot_be_read_is_none(raw: bytes) -> None:
    renaming = Renaming("srv", "public")

    renaming.learn(raw)

    assert renaming.seen == ""


def test_an_answer_without_a_model_is_left_alone() -> None:
    renaming = Renaming("srv", "public")

    renaming.learn_from(b'data: {"type":"ping"}\n\n')

    assert renaming.apply(b'{"x":1}') == b'{"x":1}'
    assert renaming.seen == ""
