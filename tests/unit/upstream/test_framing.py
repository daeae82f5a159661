"""The body of an answer does not depend on how the network cuts it into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.upstream.errors import BadResponse
from routing.upstream.framing import Framing
from routing.upstream.response import Response


class Nowhere:
    def resume(self) -> None:
        """Nobody is held back."""

    def abort(self) -> None:
        """There is nothing to close."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


parts = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """Draw an answer, its body, and whether only the connection's end would end it."""
    pieces = draw(parts)
    body = b"".join(pieces)
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    match framing:
        case "length":
            rest = b"content-length: %d\r\n\r\n%b" % (len(body), body)
        case "chunked":
            chunks = b"".join(chunk(piece) for piece in pieces)
            trailer = draw(st.sampled_from([b"", b"x-check: 1\r\n"]))
            rest = b"transfer-encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (chunks, trailer)
        case _:
            rest = b"\r\n" + body
    return interim + b"HTTP/1.1 200 OK\r\nx: y\r\n" + rest, body, framing == "close"


def feed(data: bytes, cuts: list[int]) -> tuple[Response, Framing]:
    response = Response(Nowhere())
    framing = Framing(response, bodiless=False)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        if start < end:
            framing.feed(data[start:end])
    return response, framing


def body_of(response: Response) -> bytes:
    return b"".join(response._pending)


@given(answers(), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cutting_brings_the_same_answer(
    answer: tuple[bytes, bytes, bool], cuts: list[int]
) -> None:
    data, body, until_close = answer
    response, framing = feed(data, cuts)
    assert response.status == 200
    assert (b"x", b"y") in response.headers
    assert body_of(response) == body
    assert framing.ended is not until_close
    assert framing.until_close is until_close
    assert framing.keep_alive is not until_close
    assert framing.received == len(data)


@given(answers(), st.integers(0, 10_000))
def test_a_part_of_an_answer_is_never_a_whole_one(
    answer: tuple[bytes, bytes, bool], cut: int
) -> None:
    data, body, _ = answer
    response, framing = feed(data[: cut % len(data)], [])
    assert not framing.ended
    assert body.startswith(body_of(response))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_an_answer_or_a_bad_one(data: bytes, cuts: list[int]) -> None:
    """The cuts matter: a parser that was given nonsense in pieces must not be taken by surprise."""
    try:
        response, _ = feed(b"HTTP/1.1 200 OK\r\n" + data, cuts)
    except BadResponse:
        return
    assert response.status in (0, 200)


@given(answers(), st.binary(min_size=1, max_size=50))
def test_what_follows_an_answer_ends_the_connection_and_not_the_answer(
    answer: tuple[bytes, bytes, bool], surplus: bytes
) -> None:
    data, body, until_close = answer
    if until_close:
        return
    response, framing = feed(data + b"x" + surplus, [])
    assert framing.ended
    assert body_of(response) == body
    assert not framing.keep_alive


def test_a_head_may_be_large_and_not_too_large() -> None:
    fits = b"HTTP/1.1 200 OK\r\nx: " + b"a" * 60_000 + b"\r\ncontent-length: 0\r\n\r\n"
    response, framing = feed(fits, [1000, 30_000])
    assert response.status == 200
    assert framing.ended
    with pytest.raises(BadResponse):
        feed(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 66_000 + b"\r\ncontent-length: 0\r\n\r\n", [])


def test_a_large_body_behind_a_small_head_in_one_piece_is_no_large_head() -> None:
    body = b"a" * 200_000
    response, _ = feed(b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + body, [])
    assert body_of(response) == body
