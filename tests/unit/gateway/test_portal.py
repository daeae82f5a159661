"""Who asks, as the portal is told."""

from ipaddress import ip_network

import pytest

from routing.gateway.portal import forwarding

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
HOST = (b"host", b"ilaas.example")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "asker"),
    [
        ("203.0.113.5", b"1.1.1.1", "203.0.113.5"),
        ("10.0.0.1", b"1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", b"6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", b"6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", b"10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"<script>", "10.0.0.1"),
        ("10.0.0.1", b"2a01::5", "2a01::5"),
        ("::ffff:10.0.0.1", b"1.1.1.1", "1.1.1.1"),
        ("fd00::1", b"1.1.1.1", "1.1.1.1"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_asks(
    peer: str, forwarded_for: bytes, asker: str
) -> None:
    told = dict(forwarding([HOST, (b"x-forwarded-for", forwarded_for)], peer, PROXIES))

    assert told[b"x-forwarded-for"] == asker.encode()


def test_scheme_and_name_count_only_from_a_proxy() -> None:
    headers = [HOST, (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"other.example")]

    near, far = (dict(forwarding(headers, peer, PROXIES)) for peer in ("10.0.0.1", "203.0.113.5"))

    assert (near[b"x-forwarded-proto"], near[b"x-forwarded-host"]) == (b"https", b"other.example")
    assert (far[b"x-forwarded-proto"], far[b"x-forwarded-host"]) == (b"http", b"ilaas.example")
