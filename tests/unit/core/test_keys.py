"""A key's digest."""

from routing.core.keys import digest


def test_a_digest_depends_on_the_key_and_on_the_pepper() -> None:
    digests = {digest(pepper, key) for pepper in (b"p", b"q") for key in ("a", "b", "é")}
    assert len(digests) == 6
    assert all(len(each) == 64 for each in digests)


def test_a_digest_is_hmac_sha_256() -> None:
    """RFC 4231, test case 2."""
    assert digest(b"Jefe", "what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
