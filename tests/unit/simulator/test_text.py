"""What is said: the language of the question, always the same, of the length that was asked for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.simulator.text import ENGLISH, FRENCH, Ask, compose, count_tokens, pieces

WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SEARCH = {"name": "search_library", "parameters": {"type": "object", "properties": {}}}


def ask(**more: object) -> Ask:
    usual: dict[str, object] = {"prompts": (5,), "fingerprint": "f", "last_words": "Bonjour"}
    return Ask(**{**usual, **more})  # type: ignore[arg-type]


def said(asked: Ask, room: int = 4096, seed: int = 0) -> str:
    return compose(asked, seed, room)[0].text


@pytest.mark.parametrize("question", ["Bonjour !", "Quelle est la règle ?", "Où, déjà ?"])
def test_a_french_question_gets_a_french_answer(question: str) -> None:
    assert said(ask(last_words=question)).startswith(FRENCH[0])


@pytest.mark.parametrize("question", ["Hello", "What is the rule?", ""])
def test_any_other_question_gets_an_english_answer(question: str) -> None:
    assert said(ask(last_words=question)).startswith(ENGLISH[0])


def test_the_same_question_gets_the_same_answer_and_another_one_another() -> None:
    assert said(ask()) == said(ask())
    assert said(ask()) != said(ask(fingerprint="g"))
    assert said(ask()) != said(ask(), seed=1)


def test_the_answers_to_one_question_differ() -> None:
    texts = [script.text for script in compose(ask(n=3), 0, 4096)]

    assert len(set(texts)) == 3


@given(st.text(min_size=3))
def test_a_clients_own_words_are_never_said_back(words: str) -> None:
    stock = said(ask(last_words="Hello")) + said(ask(last_words="Bonjour"))

    assert words in stock or words not in said(ask(last_words=words))


@given(st.integers(0, 300), st.integers(1, 300))
def test_an_answer_ends_at_the_limit_and_says_so(limit: int, room: int) -> None:
    natural = len(compose(ask(), 0, 4096)[0].tokens)

    script = compose(ask(max_tokens=limit), 0, room)[0]

    assert len(script.tokens) == min(limit, room, natural)
    assert script.finish == ("length" if min(limit, room) < natural else "stop")


def test_a_fixed_length_is_kept() -> None:
    script = compose(ask(max_tokens=900, min_tokens=900), 0, 4096)[0]

    assert len(script.tokens) == 900


def test_each_prompt_is_answered_as_often_as_it_was_asked() -> None:
    assert len(compose(ask(prompts=(1, 2, 3), n=2), 0, 4096)) == 6


def test_a_tool_is_called_when_the_question_names_what_it_is_for() -> None:
    asked = ask(last_words="And the weather in Reims?", tools=(SEARCH, WEATHER))

    script = compose(asked, 0, 4096)[0]

    assert (script.tool, script.finish) == ("get_weather", "tool_calls")
    assert set(json.loads(script.text)) == {"city"}


def test_no_tool_is_called_without_need() -> None:
    assert compose(ask(tools=(WEATHER,)), 0, 4096)[0].tool is None


def test_a_tool_that_must_be_called_is_called() -> None:
    assert compose(ask(tools=(WEATHER,), forced=True), 0, 4096)[0].tool == "get_weather"


def test_an_answer_with_a_schema_follows_it() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

    assert isinstance(json.loads(said(ask(schema=schema)))["ok"], bool)


@given(st.text())
def test_tokens_put_together_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text())
def test_every_text_has_at_least_one_token_and_at_most_one_a_byte(text: str) -> None:
    assert 1 <= count_tokens(text) <= max(1, len(text.encode("utf-8", "replace")))
