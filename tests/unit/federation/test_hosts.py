"""Where a server's jobs may run: what is read of a text, and what it means."""

import pytest
from django.core.exceptions import ValidationError

from federation.fleet.hosts import is_among, read_hosts
from routing.upstream.egress import parse_base_url


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", []),
        ("Node7.HPC.univ.fr", ["node7.hpc.univ.fr"]),
        ("*.hpc.univ.fr, 10.2.0.0/24\n10.2.0.7", ["*.hpc.univ.fr", "10.2.0.0/24", "10.2.0.7/32"]),
        ("node7 node7; node7.", ["node7"]),
        ("2001:db8::/64", ["2001:db8::/64"]),
    ],
)
def test_hosts_have_one_spelling(text: str, hosts: list[str]) -> None:
    assert read_hosts(text) == hosts


@pytest.mark.parametrize(
    "text",
    [
        *("*", "*.fr", "*.", "no de/7", "http://node7", "node7:8000", "10.2.0.1/24", "300.1.1.1"),
        *("-node", "a..b", "*.*.fr", "*node.univ.fr", " ".join(f"n{n}" for n in range(21))),
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read_hosts(text)


@pytest.mark.parametrize(
    ("url", "hosts", "is_meant"),
    [
        ("https://node7.hpc.univ.fr:8000", ["*.hpc.univ.fr"], True),
        ("https://hpc.univ.fr", ["*.hpc.univ.fr"], False),
        ("https://evil-hpc.univ.fr", ["*.hpc.univ.fr"], False),
        ("https://node7.hpc.univ.fr.evil.org", ["*.hpc.univ.fr"], False),
        ("http://10.2.0.9:8000", ["10.2.0.0/24"], True),
        ("http://10.2.1.9:8000", ["10.2.0.0/24"], False),
        ("http://[2001:db8::9]:8000", ["2001:db8::/64"], True),
        ("http://10.2.0.9", ["*.hpc.univ.fr", "node7"], False),
        ("http://node7", ["node7"], True),
        ("http://node8", ["node7"], False),
        ("http://node8", [], False),
    ],
)
def test_a_job_runs_where_its_hosts_say(url: str, hosts: list[str], is_meant: bool) -> None:
    assert is_among(parse_base_url(url), hosts) is is_meant
