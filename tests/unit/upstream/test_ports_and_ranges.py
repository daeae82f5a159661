"""Which ports are listed and which networks may be granted, as people write them."""

import pytest

from routing.upstream.egress import EgressPolicy
from routing.upstream.errors import EgressRefused, RefusalReason
from routing.upstream.ports import DEFAULT, LISTED_PORTS, read_ports, written
from routing.upstream.ranges import NotGrantableError, RangeFault, read_range

PUBLIC = "93.184.216.34"


def test_ports_are_read_and_written_alike() -> None:
    assert read_ports("443, 8000-8002,8001") == {443, 8000, 8001, 8002}
    assert written(read_ports("8002, 443, 8000-8001")) == "443, 8000-8002"
    assert read_ports(written(DEFAULT)) == read_ports(LISTED_PORTS) == DEFAULT


@pytest.mark.parametrize(
    "text", ["", " , ", "0", "65536", "-1", "80-", "a", "８０", "1-70000", "1e3"]
)
def test_what_is_no_list_of_ports_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="port"):
        read_ports(text)


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 9200, 11211, 27017])
def test_no_port_of_another_service_is_reached_without_leave(port: int) -> None:
    policy = EgressPolicy()
    with pytest.raises(EgressRefused) as refused:
        policy.check(PUBLIC, port, tls=True)
    assert refused.value.reason is RefusalReason.PORT
    assert policy.check(PUBLIC, port, tls=True, grants=((PUBLIC, port),)).port == port
    assert EgressPolicy(ports=frozenset({port})).check(PUBLIC, port, tls=True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("10.0.0.0/15", RangeFault.TOO_LARGE),
        ("fd00::/47", RangeFault.TOO_LARGE),
        ("0.0.0.0/0", RangeFault.NOT_PRIVATE),
        ("::/0", RangeFault.NOT_PRIVATE),
        ("127.0.0.0/16", RangeFault.NOT_PRIVATE),
        ("169.254.0.0/16", RangeFault.NOT_PRIVATE),
        ("172.32.0.0/16", RangeFault.NOT_PRIVATE),
        ("fe80::/64", RangeFault.NOT_PRIVATE),
        ("10.0.0.1/24", RangeFault.NO_NETWORK),
        ("", RangeFault.NO_NETWORK),
    ],
)
def test_a_network_that_cannot_be_granted_says_why(text: str, fault: RangeFault) -> None:
    with pytest.raises(NotGrantableError) as refused:
        read_range(text)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.2.0.0/24", ("10.2.0.1", "::ffff:10.2.0.1"), ("10.2.1.1", "64:ff9b::a02:1")),
        ("100.100.0.0/16", ("100.100.1.1",), ("100.100.100.200",)),
        ("fd00:ec2::/48", ("fd00:ec2::1",), ("fd00:ec2::254", "fd00:ec3::1")),
        ("192.168.1.7", (), ("192.168.1.8",)),
    ],
)
def test_a_network_lets_in_what_lies_in_it_and_no_metadata_service(
    network: str, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    grants = ((str(read_range(network)), 8000),)
    for address in inside:
        assert EgressPolicy().check(address, 8000, tls=False, grants=grants)
        with pytest.raises(EgressRefused):
            EgressPolicy().check(address, 8001, tls=True, grants=grants)
    for address in outside:
        with pytest.raises(EgressRefused):
            EgressPolicy().check(address, 8000, tls=True, grants=grants)
