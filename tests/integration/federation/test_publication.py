"""From an address to a model in service: what is granted, what a second run changes, what is refused."""

import socket
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from federation.catalogue.models import AIModel
from federation.fleet.enums import Engine
from federation.fleet.models import EgressGrant, InferenceServer
from federation.fleet.operations.credentials import current_credential
from federation.fleet.operations.egress import grant_egress
from federation.fleet.operations.publication import (
    Offer,
    Publication,
    move_server,
    publish_server,
)
from federation.fleet.operations.servers import change_server_state
from federation.journal.models import AuditEvent
from federation.members.models import Institution
from routing.core.enums import LifecycleStage, ServerState
from routing.upstream.credentials import Secret
from tests.integration.federation.crowd import at_once
from tests.support.factories import OPERATOR, Cast, make_institution, make_model, serve_model


def publish(institution: Institution, url: str, **fields: Any) -> Publication:
    given = {"engine": Engine.VLLM, "model_name": "new-model", "served_name": "served", **fields}
    return publish_server(by=OPERATOR, offer=Offer(institution=institution, url=url, **given))


def granted(publication: Publication) -> list[tuple[str, int]]:
    return [(grant.address, grant.port) for grant in publication.granted]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8100", [("127.0.0.1", 8100)]),
        ("https://10.1.2.3/vllm/v1", [("10.1.2.3", 443)]),
        ("http://[::1]:8100", [("::1", 8100)]),
        ("http://100.64.0.9:80", [("100.64.0.9", 80)]),
        ("https://9.9.9.9", []),
        ("http://9.9.9.9:8000", [("9.9.9.9", 8000)]),
    ],
    ids=["loopback", "private", "IPv6 loopback", "shared", "public with TLS", "public without TLS"],
)
def test_exactly_what_the_guard_would_refuse_is_granted(
    cast: Cast, url: str, expected: list[tuple[str, int]]
) -> None:
    assert granted(publish(cast.rennes, url)) == expected
    assert EgressGrant.objects.in_force().count() == len(expected)


def test_every_address_of_a_name_is_granted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 8000))
        for address in ("10.0.0.2", "10.0.0.1", "9.9.9.9", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)

    publication = publish(cast.rennes, "https://gpu.univ-rennes.example:8000")

    assert granted(publication) == [("10.0.0.1", 8000), ("10.0.0.2", 8000)]


NEVER_GRANTED = (
    "http://169.254.169.254",
    "http://[fe80::1]",
    "http://224.0.0.1",
    "http://0.0.0.0:80",
    "http://168.63.129.16",
)


def test_an_address_that_serves_no_model_is_never_granted(cast: Cast) -> None:
    for url in NEVER_GRANTED:
        with pytest.raises(ValidationError) as refused:
            publish(cast.rennes, url)
        assert refused.value.error_dict["address"][0].code == "never_granted"

    assert not InferenceServer.objects.exists()


NO_ADDRESSES = (
    "",
    "gpu.example.org",
    "ftp://gpu.example.org",
    "http://user:secret@gpu.example.org",
    "http://gpu.example.org/?a=b",
    "http://gpu.example.org/#x",
    "http://gpu.example.org:99999",
    "http://2130706433",
    "http://127.1",
    "http://gpu.exämple.org",
    "http://gpu example.org",
    "http://" + "a" * 300 + ".org",
    "https://gpu.example.org/../x",
    "https://gpu.example.org/" + "x" * 500,
)


def test_what_is_no_address_of_a_server_is_refused(cast: Cast) -> None:
    for url in NO_ADDRESSES:
        with pytest.raises(ValidationError):
            publish(cast.rennes, url)

    assert not InferenceServer.objects.exists()


def test_an_unknown_host_is_refused_and_nothing_is_left(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    before = AuditEvent.objects.count()

    with pytest.raises(ValidationError, match=r"nowhere\.example"):
        publish(cast.rennes, "https://nowhere.example")

    assert not InferenceServer.objects.exists()
    assert AuditEvent.objects.count() == before


def test_a_model_unknown_so_far_enters_production_as_it_is_served(cast: Cast) -> None:
    deployment = publish(cast.rennes, "http://127.0.0.1:8100").deployment

    model = AIModel.objects.get(slug="new-model")
    assert model.stage == LifecycleStage.PRODUCTION
    assert deployment.version.model == model
    assert deployment.version.revision == "served"


def test_a_model_is_known_whatever_the_case_of_its_name(cast: Cast) -> None:
    model = make_model("Known-Model")

    deployment = publish(cast.rennes, "http://127.0.0.1:8100", model_name="known-model").deployment

    assert deployment.version.model == model


def test_the_same_offer_again_changes_nothing(cast: Cast) -> None:
    def offer() -> Publication:
        return publish(
            cast.rennes, "http://127.0.0.1:8100/v1/", credential=Secret("token"), max_parallel=8
        )

    first = offer()
    before = AuditEvent.objects.count()

    second = offer()

    assert second.deployment == first.deployment
    assert second.granted == ()
    assert AuditEvent.objects.count() == before


def test_an_offer_again_changes_what_differs(cast: Cast) -> None:
    publish(cast.rennes, "http://127.0.0.1:8100", credential=Secret("old"), max_parallel=8)

    publish(
        cast.rennes,
        "http://127.0.0.1:8100",
        credential=Secret("new"),
        max_parallel=4,
        engine=Engine.LMDEPLOY,
    )

    server = InferenceServer.objects.get()
    held = current_credential(server)
    assert held is not None
    assert held.reveal() == "new"
    assert (server.max_parallel, server.engine) == (4, Engine.LMDEPLOY)


def test_what_an_offer_leaves_out_stays(cast: Cast) -> None:
    publish(cast.rennes, "http://127.0.0.1:8100", credential=Secret("token"), max_parallel=8)

    publish(cast.rennes, "http://127.0.0.1:8100")

    server = InferenceServer.objects.get()
    assert current_credential(server) is not None
    assert server.max_parallel == 8


def test_a_server_serves_several_models(cast: Cast) -> None:
    publish(cast.rennes, "http://127.0.0.1:8100")

    publish(cast.rennes, "http://127.0.0.1:8100", model_name="second", served_name="second")

    assert InferenceServer.objects.get().deployments.live().count() == 2


def test_a_served_name_stands_for_one_model(cast: Cast) -> None:
    publish(cast.rennes, "http://127.0.0.1:8100")

    with pytest.raises(ValidationError) as refused:
        publish(cast.rennes, "http://127.0.0.1:8100", model_name="second")

    assert refused.value.code == "served_otherwise"
    assert not AIModel.objects.filter(slug="second").exists()


@pytest.mark.parametrize("state", [ServerState.DRAINING, ServerState.SUSPENDED])
def test_a_server_that_was_taken_out_stays_out(cast: Cast, state: ServerState) -> None:
    server = serve_model(cast.rennes, url="http://127.0.0.1:8100").server
    change_server_state(by=OPERATOR, server=server, state=state)

    serve_model(cast.rennes, url="http://127.0.0.1:8100")

    server.refresh_from_db()
    assert server.state == state


def test_the_address_of_a_retired_server_is_free_for_a_new_one(cast: Cast) -> None:
    server = serve_model(cast.rennes, url="http://127.0.0.1:8100").server
    for state in (ServerState.DRAINING, ServerState.RETIRED):
        change_server_state(by=OPERATOR, server=server, state=state)

    new = serve_model(cast.rennes, url="http://127.0.0.1:8100").server

    assert new != server
    assert (server.slug, new.slug) == ("rennes-vllm-1", "rennes-vllm-2")
    assert new.egress_grants.in_force().count() == 1


def test_two_institutions_may_have_the_same_private_address(cast: Cast) -> None:
    first = serve_model(cast.rennes, url="http://10.0.0.5:8000").server
    second = serve_model(cast.reims, url="http://10.0.0.5:8000").server

    assert first != second
    assert first.egress_grants.in_force().count() == second.egress_grants.in_force().count() == 1


def test_a_consumer_brings_no_server(cast: Cast) -> None:
    with pytest.raises(ValidationError) as refused:
        publish(cast.orleans, "http://127.0.0.1:8100")

    assert refused.value.code == "not_approved"


def test_a_permission_tells_who_gave_it_and_why(cast: Cast) -> None:
    server = serve_model(cast.rennes).server

    by_person = grant_egress(by=cast.admin, server=server, address="10.0.0.1", port=1, reason="VPN")

    assert by_person.granted_by == cast.admin
    assert server.egress_grants.exclude(pk=by_person.pk).get().granted_by is None


NO_PERMISSIONS = (
    ("example.org", 80),
    ("", 80),
    ("10.0.0.1", 0),
    ("10.0.0.1", 65_536),
    ("169.254.169.254", 80),
)


def test_a_permission_names_one_address_and_one_port(cast: Cast) -> None:
    server = serve_model(cast.rennes).server

    for address, port in NO_PERMISSIONS:
        with pytest.raises(ValidationError):
            grant_egress(by=cast.admin, server=server, address=address, port=port, reason="VPN")


def test_an_address_is_granted_in_its_one_spelling(cast: Cast) -> None:
    server = serve_model(cast.rennes).server

    grant = grant_egress(
        by=cast.admin, server=server, address="::ffff:10.0.0.1", port=1, reason="VPN"
    )

    assert grant.address == "10.0.0.1"


@pytest.mark.django_db(transaction=True)
def test_a_server_that_moves_takes_its_leave_along(cast: Cast) -> None:
    server = publish(cast.rennes, "http://127.0.0.1:8100").deployment.server

    moved = move_server(by=OPERATOR, server=server, url="http://127.0.0.2:8200/v1/")

    assert moved.base_url == "http://127.0.0.2:8200"
    assert [(grant.address, grant.port) for grant in moved.egress_grants.in_force()] == [
        ("127.0.0.2", 8200)
    ]
    event = AuditEvent.objects.get(verb="fleet.move_server")
    assert event.diff == {"url": ["http://127.0.0.1:8100", "http://127.0.0.2:8200"]}


def test_a_server_does_not_move_to_an_address_that_serves_no_model(cast: Cast) -> None:
    server = publish(cast.rennes, "http://127.0.0.1:8100").deployment.server

    with pytest.raises(ValidationError):
        move_server(by=OPERATOR, server=server, url="http://169.254.169.254/")

    server.refresh_from_db()
    assert server.base_url == "http://127.0.0.1:8100"
    assert [grant.port for grant in server.egress_grants.in_force()] == [8100]


def test_a_server_registered_twice_at_once_is_one_server(transactional_db: None) -> None:
    rennes = make_institution("rennes")
    make_model()

    at_once([lambda: serve_model(rennes, url="http://127.0.0.1:8100", credential="token")] * 4)

    server = InferenceServer.objects.get()
    assert server.deployments.live().count() == 1
    assert server.egress_grants.in_force().count() == 1
    assert server.credentials.current().count() == 1
