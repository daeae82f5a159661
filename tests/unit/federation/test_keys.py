"""The text of keys: what one looks like, and what a typing error does to it."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.access.keys import HIDDEN, abbreviate, checksum, is_well_formed, new_key

BASE_62 = string.digits + string.ascii_letters


def test_a_key_names_its_brand_and_is_of_one_length() -> None:
    key = new_key().reveal()

    assert re.fullmatch(r"ilaas_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", key)


def test_a_new_key_is_well_formed_and_no_two_are_the_same() -> None:
    keys = {new_key().reveal() for _ in range(200)}

    assert len(keys) == 200
    assert all(map(is_well_formed, keys))


@given(st.integers(min_value=0, max_value=68), st.sampled_from(BASE_62))
def test_one_wrong_character_makes_it_ill_formed(position: int, wrong: str) -> None:
    key = new_key().reveal()
    mistyped = key[:position] + wrong + key[position + 1 :]

    assert is_well_formed(mistyped) == (mistyped == key)


@given(st.integers(min_value=20, max_value=67))
def test_two_swapped_characters_make_it_ill_formed(position: int) -> None:
    key = new_key().reveal()
    swapped = key[:position] + key[position + 1] + key[position] + key[position + 2 :]

    assert is_well_formed(swapped) == (swapped == key)


@pytest.mark.parametrize("text", ["", "ilaas_live_", "sk-1234", " ", "é" * 69])
def test_what_is_no_key_of_ours_is_ill_formed(text: str) -> None:
    assert not is_well_formed(text)


def test_a_line_break_after_a_key_makes_it_ill_formed() -> None:
    assert not is_well_formed(new_key().reveal() + "\n")


def test_an_abbreviation_tells_keys_apart_and_hides_the_secret() -> None:
    key = new_key().reveal()

    beginning, end = abbreviate(key)

    assert beginning == key[:19]
    assert end == key[-4:]
    assert len(key) - len(beginning) - len(end) > 43


@given(st.text(min_size=1, max_size=255))
def test_of_a_key_from_elsewhere_three_quarters_are_never_shown(key: str) -> None:
    beginning, end = abbreviate(key)

    assert beginning
    assert end
    if beginning != HIDDEN:
        assert key.startswith(beginning)
        assert key.endswith(end)
        assert 4 * (len(beginning) + len(end)) <= len(key)


@given(st.text(max_size=300))
def test_a_checksum_is_six_characters_whatever_it_is_made_of(body: str) -> None:
    assert re.fullmatch(r"[0-9A-Za-z]{6}", checksum(body))


def test_a_key_shows_itself_only_when_it_is_asked_to() -> None:
    key = new_key()

    shown = f"{key} {key!r} {[key]}"

    assert key.reveal() not in shown
