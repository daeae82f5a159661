"""Wrong keys by address: how many are looked at, for how long no more, and how much is remembered."""

import pytest

from routing.gateway import addresses
from routing.gateway.addresses import WrongKeys


def noted(count: int, address: str = "203.0.113.5", most: int = 3) -> WrongKeys:
    wrong = WrongKeys(most)
    for _ in range(count):
        wrong.note_wrong(address, 100.0)
    return wrong


def test_an_address_that_sent_few_wrong_keys_need_not_wait() -> None:
    assert noted(2).wait_seconds("203.0.113.5", 100.0) == 0


def test_one_that_sent_too_many_waits_until_they_are_a_minute_old() -> None:
    wrong = noted(3)

    wait = wrong.wait_seconds("203.0.113.5", 100.0)

    assert 60 <= wait <= 65
    assert wrong.wait_seconds("203.0.113.5", 100.0 + wait) == 0
    assert wrong.wait_seconds("203.0.113.6", 100.0) == 0


def test_a_network_of_one_client_is_one_address() -> None:
    wrong = noted(3, "2001:db8::1")

    assert wrong.wait_seconds("2001:db8::2", 100.0)
    assert not wrong.wait_seconds("2001:db8:0:1::2", 100.0)


def test_what_is_no_address_is_counted_as_it_is() -> None:
    assert noted(3, "").wait_seconds("", 100.0)


def test_keys_are_known_where_they_were_right() -> None:
    wrong = WrongKeys(3)
    wrong.note_right("203.0.113.5", "key")

    assert wrong.is_known("203.0.113.5", "key")
    assert not wrong.is_known("203.0.113.6", "key")
    assert not wrong.is_known("203.0.113.5", "other")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 2)
    monkeypatch.setattr(addresses, "MAX_KNOWN", 2)
    wrong = WrongKeys(1)
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        wrong.note_wrong(address, 100.0)
        wrong.note_right(address, "key")

    assert len(wrong) == 2
    assert not wrong.wait_seconds("203.0.113.1", 100.0), "the oldest is forgotten"
    assert wrong.wait_seconds("203.0.113.3", 100.0)
    assert not wrong.is_known("203.0.113.1", "key")
