"""The guard lets through https to public addresses and exactly what was granted; no spelling fools it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.upstream.addresses import canonical, reason_against
from routing.upstream.egress import (
    Address,
    EgressPolicy,
    Grants,
    Target,
    parse_base_url,
    resolve,
)
from routing.upstream.errors import ConnectFailed, EgressRefused, RefusalReason
from routing.upstream.resolving import Lookup

PUBLIC = "93.184.216.34"
POLICY = EgressPolicy()


def names(*addresses: str) -> Lookup:
    async def lookup(_host: str, _port: int) -> tuple[str, ...]:
        return addresses

    return lookup


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("0.0.0.0", RefusalReason.UNSPECIFIED),
        ("0.1.2.3", RefusalReason.UNSPECIFIED),
        ("::", RefusalReason.UNSPECIFIED),
        ("127.0.0.1", RefusalReason.LOOPBACK),
        ("127.255.255.254", RefusalReason.LOOPBACK),
        ("::1", RefusalReason.LOOPBACK),
        ("::ffff:127.0.0.1", RefusalReason.LOOPBACK),
        ("::ffff:7f00:1", RefusalReason.LOOPBACK),
        ("64:ff9b::7f00:1", RefusalReason.LOOPBACK),
        ("10.0.0.1", RefusalReason.PRIVATE),
        ("172.16.0.1", RefusalReason.PRIVATE),
        ("172.31.255.255", RefusalReason.PRIVATE),
        ("192.168.1.1", RefusalReason.PRIVATE),
        ("::ffff:10.0.0.1", RefusalReason.PRIVATE),
        ("64:ff9b::a00:1", RefusalReason.PRIVATE),
        ("fd12:3456::1", RefusalReason.PRIVATE),
        ("100.64.0.1", RefusalReason.SHARED),
        ("100.127.255.255", RefusalReason.SHARED),
        ("169.254.0.1", RefusalReason.LINK_LOCAL),
        ("169.254.170.2", RefusalReason.LINK_LOCAL),
        ("fe80::1", RefusalReason.LINK_LOCAL),
        ("fe80::1%eth0", RefusalReason.LINK_LOCAL),
        ("169.254.169.254", RefusalReason.METADATA),
        ("::ffff:169.254.169.254", RefusalReason.METADATA),
        ("64:ff9b::a9fe:a9fe", RefusalReason.METADATA),
        ("168.63.129.16", RefusalReason.METADATA),
        ("100.100.100.200", RefusalReason.METADATA),
        ("192.0.0.192", RefusalReason.METADATA),
        ("fd00:ec2::254", RefusalReason.METADATA),
        ("fd00:ec2::254%1", RefusalReason.METADATA),
        ("224.0.0.1", RefusalReason.MULTICAST),
        ("ff02::1", RefusalReason.MULTICAST),
        ("255.255.255.255", RefusalReason.RESERVED),
        ("192.0.2.1", RefusalReason.RESERVED),
        ("198.18.0.1", RefusalReason.RESERVED),
        ("203.0.113.1", RefusalReason.RESERVED),
        ("2001:db8::1", RefusalReason.RESERVED),
        ("2001::1", RefusalReason.RESERVED),
        ("2002:7f00:1::", RefusalReason.RESERVED),
        ("3fff::1", RefusalReason.RESERVED),
        ("::127.0.0.1", RefusalReason.RESERVED),
        ("64:ff9b:1::7f00:1", RefusalReason.RESERVED),
        ("5f00::1", RefusalReason.RESERVED),
        ("fec0::1", RefusalReason.RESERVED),
    ],
)
def test_no_special_address_passes(address: str, reason: RefusalReason) -> None:
    assert reason_against(canonical(address)) is reason
    with pytest.raises(EgressRefused) as refused:
        POLICY.check(address, 443, tls=True)
    assert refused.value.reason is reason


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2a00:1450:4007::1", "64:ff9b::808:808"])
def test_a_public_address_passes_with_tls_and_not_without(address: str) -> None:
    assert POLICY.check(address, 443, tls=True) == Address(address, 443)
    with pytest.raises(EgressRefused) as refused:
        POLICY.check(address, 80, tls=False)
    assert refused.value.reason is RefusalReason.PLAIN_HTTP


@given(st.ip_addresses(v=6))
def test_a_mapped_address_is_judged_as_what_it_means(address: object) -> None:
    inner = int(address) & 0xFFFF_FFFF  # type: ignore[call-overload]  # Hypothesis says `object`
    plain = ".".join(str(inner >> shift & 255) for shift in (24, 16, 8, 0))
    mapped = f"::ffff:{plain}"
    assert reason_against(canonical(mapped)) is reason_against(canonical(plain))


@given(st.ip_addresses())
def test_every_address_is_refused_or_plainly_public(address: object) -> None:
    found = canonical(str(address))
    assert reason_against(found) is not None or (found.is_global and not found.is_multicast)


@pytest.mark.parametrize(
    ("address", "grants"),
    [
        ("127.0.0.1", (("127.0.0.1", 8000),)),
        ("::ffff:127.0.0.1", (("127.0.0.1", 8000),)),
        ("127.0.0.1", (("::ffff:127.0.0.1", 8000),)),
        ("10.1.2.3", (("10.9.9.9", 1), ("10.1.2.3", 8000))),
        ("100.64.0.1", (("100.64.0.1", 8000),)),
        (PUBLIC, ((PUBLIC, 8000),)),
        ("fd12::1", (("FD12:0:0::1", 8000),)),
    ],
)
def test_a_grant_lifts_what_may_be_lifted(address: str, grants: Grants) -> None:
    assert POLICY.check(address, 8000, tls=False, grants=grants).port == 8000
    assert EgressPolicy(grants=grants).check(address, 8000, tls=False)


@pytest.mark.parametrize(
    ("address", "port", "grant"),
    [
        ("127.0.0.1", 8001, ("127.0.0.1", 8000)),
        ("127.0.0.2", 8000, ("127.0.0.1", 8000)),
        ("169.254.169.254", 80, ("169.254.169.254", 80)),
        ("169.254.0.1", 80, ("169.254.0.1", 80)),
        ("0.0.0.0", 80, ("0.0.0.0", 80)),
        ("224.0.0.1", 80, ("224.0.0.1", 80)),
        ("168.63.129.16", 80, ("168.63.129.16", 80)),
        ("127.0.0.1", 8000, ("localhost", 8000)),
        ("127.0.0.1", 8000, ("127.0.0.1/8", 8000)),
        ("127.0.0.1", 8000, ("", 8000)),
    ],
)
def test_a_grant_lifts_nothing_else(address: str, port: int, grant: tuple[str, int]) -> None:
    with pytest.raises(EgressRefused):
        POLICY.check(address, port, tls=False, grants=(grant,))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://gpu.rennes.fr", Target("https", "gpu.rennes.fr", 443)),
        ("https://gpu.rennes.fr/", Target("https", "gpu.rennes.fr", 443)),
        ("HTTPS://GPU.Rennes.FR/v1", Target("https", "gpu.rennes.fr", 443)),
        ("https://gpu.rennes.fr/v1/", Target("https", "gpu.rennes.fr", 443)),
        ("http://gpu:8000/llm/a/v1", Target("http", "gpu", 8000, "/llm/a")),
        ("https://10.0.0.1:8443", Target("https", "10.0.0.1", 8443)),
        ("https://[2A00::0:1]:8443/x", Target("https", "2a00::1", 8443, "/x")),
        ("https://under_score.x", Target("https", "under_score.x", 443)),
    ],
)
def test_a_base_url_is_read(text: str, target: Target) -> None:
    assert parse_base_url(text) == target
    assert parse_base_url(target.url) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpu.rennes.fr",
        "ftp://gpu.rennes.fr",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@gpu.rennes.fr",
        "https://gpu.rennes.fr@127.0.0.1",
        "https://gpu.rennes.fr#@127.0.0.1",
        "https://gpu.rennes.fr?x=y",
        "https://gpu.rennes.fr/a b",
        "https://gpu.rennes.fr/../x",
        "https://gpu.rennes.fr/./x",
        "https://gpu.rennes.fr/%2e%2e/x",
        "https://gpu.rennes.fr//x",
        "https://gpu.rennes.fr\\@127.0.0.1",
        "https://gpu.rennes.fr\n",
        "https://gpu.rennes.fr\r\nx: y",
        "https://gpu.rennes.fr:0",
        "https://gpu.rennes.fr:65536",
        "https://gpu.rennes.fr:",
        "https://gpu.rennes.fr.",
        "https://-gpu.fr",
        "https://" + "a" * 64 + ".fr",
        "https://" + "a." * 130 + "fr",
        "https://université.fr",
        "https://ⅼocalhost",
        "https://127。0。0。1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.1",
        "https://127.1",
        "https://0177.0.0.1",
        "https://127.0.0.0x1",
        "https://1.2.3.4.5",
        "https://256.0.0.1",
        "https://[::1%25eth0]",
        "https://[::g]",
        "https://[127.0.0.1]",
        "https://[::ffff:127.0.0.1",
    ],
)
def test_what_is_no_plain_base_url_is_refused(text: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        parse_base_url(text)
    assert refused.value.reason is RefusalReason.BAD_URL
    assert "secret" not in str(refused.value)


@given(st.text(max_size=40))
def test_no_text_surprises_the_reader_of_urls(text: str) -> None:
    for url in (text, f"https://{text}", f"https://host:{text}", f"https://host/{text}"):
        try:
            target = parse_base_url(url)
        except EgressRefused:
            continue
        assert parse_base_url(target.url) == target


async def test_all_addresses_of_a_name_are_checked() -> None:
    target = Target("https", "gpu.rennes.fr", 443)
    found = await resolve(target, POLICY, lookup=names(PUBLIC, "8.8.8.8"))
    assert found == (Address(PUBLIC, 443), Address("8.8.8.8", 443))
    with pytest.raises(EgressRefused):
        await resolve(target, POLICY, lookup=names(PUBLIC, "127.0.0.1"))


async def test_an_address_is_not_looked_up() -> None:
    async def lookup(_host: str, _port: int) -> tuple[str, ...]:
        raise AssertionError("looked up")

    assert await resolve(Target("https", PUBLIC, 443), POLICY, lookup=lookup)
    with pytest.raises(EgressRefused):
        await resolve(Target("https", "::ffff:7f00:1", 443), POLICY, lookup=lookup)


async def test_a_name_without_an_address_fails_and_is_not_refused() -> None:
    with pytest.raises(ConnectFailed):
        await resolve(Target("https", "gpu.rennes.fr", 443), POLICY, lookup=names())
