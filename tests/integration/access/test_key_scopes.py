"""What binds a key, as it is typed: paths, addresses and labels that are there."""

from typing import Any

import pytest

from federation.access.models import ApiKey
from tests.support.factories import (
    Cast,
)
from tests.support.pages import signed_in_as


def test_the_form_binds_a_key_to_what_was_ticked(cast: Cast) -> None:
    signed_in_as(cast.rennes_user).post(
        "/keys/new/",
        {
            "new_application": "moodle",
            "name": "portable",
            "priority": "3",
            "routing_mode": "any",
            "endpoints": ["embeddings", "rerank"],
            "networks": "192.0.2.7/24, 2001:db8::1\n192.0.2.0/24",
            "labels": ["own"],
        },
    )

    made = ApiKey.objects.get()
    assert made.endpoints == ["embeddings", "rerank"]
    assert made.networks == ["192.0.2.0/24", "2001:db8::1/128"]
    assert made.labels == ["own"]


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": "example.org"},
        {"networks": "0.0.0.0/0"},
        {"networks": "::/0"},
        {"networks": "fe80::1%eth0"},
        {"networks": "\n".join(f"192.0.2.{n}" for n in range(21))},
        {"networks": "1" * 1001},
        {"endpoints": ["load_lora_adapter"]},
        {"labels": ["hds"]},
        {"tells": ["everything"]},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_binds_to_nothing_that_is_there_is_refused(
    cast: Cast, changes: dict[str, Any]
) -> None:
    typed = {"new_application": "a", "name": "b", "priority": "3", "routing_mode": "any"}

    page = signed_in_as(cast.rennes_user).post("/keys/new/", typed | changes)

    assert 'role="alert"' in page.content.decode()
    assert not ApiKey.objects.exists()
