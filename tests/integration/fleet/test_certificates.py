"""Certificates of a server: pasted or brought as a file, refused with the reason, sealed, warned of."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.translation import override

from federation.fleet.certificates import read_authorities, read_identity
from federation.fleet.models import ClientCertificate, Deployment
from federation.fleet.operations.certificates import show_certificate
from federation.fleet.operations.credentials import encryption_keys
from federation.fleet.tasks import warn_of_certificates
from routing.bridge.table import build_servers
from routing.core.table import Server
from routing.upstream.destinations import destination_of
from tests.support.certificates import Authority
from tests.support.factories import OPERATOR, Cast
from tests.support.pages import signed_in_as
from tests.support.post import deliver

ROUTER = "router.ilaas.test"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def row(deployment: Deployment) -> Server:
    return build_servers(1).servers[str(deployment.server_id)]


def page_of(deployment: Deployment) -> str:
    return f"/servers/{deployment.server_id}/certificates/"


def test_an_authority_is_trusted_for_its_server_and_no_longer(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    browser, page = signed_in_as(cast.rennes_dsi), page_of(deployment)

    browser.post(page, {"step": "trust", "ca_bundle": "# Autorité\n" + authority.pem})
    assert row(deployment).ca_bundle == authority.pem
    assert "Test authority" in browser.get(page).content.decode()
    browser.post(page, {"step": "distrust"})
    assert row(deployment).ca_bundle is None

    upload = SimpleUploadedFile("ca.pem", authority.pem.encode())
    browser.post(page, {"step": "trust", "ca_file": upload})
    assert row(deployment).ca_bundle == authority.pem


def test_two_people_do_not_undo_each_others_certificates(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    browser, page = signed_in_as(cast.rennes_dsi), page_of(deployment)
    mark = browser.get(page).context["seen"]
    browser.post(page, {"step": "trust", "ca_bundle": authority.pem, "seen": mark})

    for late in ({"step": "distrust"}, {"step": "hide"}):
        assert browser.post(page, {**late, "seen": mark}).status_code == 200
    assert row(deployment).ca_bundle == authority.pem


def test_the_routers_own_certificate_is_shown_and_its_key_on_no_page(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    browser, page = signed_in_as(cast.rennes_dsi), page_of(deployment)
    identity = authority.identity(ROUTER)
    key = identity.key.reveal()

    browser.post(page, {"step": "show", "client_chain": identity.chain, "client_key": key})

    told = row(deployment)
    assert told.client_key is not None
    assert key not in told.client_key
    opened = destination_of(told, encryption_keys()).identity
    assert opened is not None
    assert (opened.chain, opened.key.reveal()) == (identity.chain, key)
    shown = browser.get(page).content.decode()
    assert ROUTER in shown
    assert "PRIVATE KEY-----\n" not in shown
    browser.post(page, {"step": "hide"})
    assert row(deployment).client_chain is None


def test_a_refused_form_does_not_show_the_key_again(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    identity = authority.identity(ROUTER)
    sent = {"step": "show", "client_chain": authority.pem, "client_key": identity.key.reveal()}

    page = signed_in_as(cast.rennes_dsi).post(page_of(deployment), sent).content.decode()

    assert 'id="id_client_key_error"' in page
    assert identity.key.reveal().splitlines()[1] not in page
    assert not ClientCertificate.objects.exists()


def test_no_other_institution_changes_certificates(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    for person in (cast.reims_dsi, cast.intruder):
        answer = signed_in_as(person).post(
            page_of(deployment), {"step": "trust", "ca_bundle": authority.pem}
        )
        assert answer.status_code in (403, 404)
    assert row(deployment).ca_bundle is None


def test_what_is_no_authority_is_refused(authority: Authority) -> None:
    identity = authority.identity(ROUTER)
    for text in (
        "",
        "nonsense",
        identity.chain,
        authority.pem + identity.key.reveal(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "x" * 100_000,
        authority.pem * 21,
    ):
        with pytest.raises(ValidationError):
            read_authorities(text)
    assert read_authorities(authority.pem) == authority.pem


def test_what_is_damaged_is_told_which_and_how(authority: Authority) -> None:
    lines = authority.pem.splitlines(keepends=True)
    middle = len(lines) // 2
    cut, torn = "".join(lines[:middle]), "".join(lines[:middle] + lines[middle + 1 :])
    for text, told in (
        (cut, "n° 1 est tronqué"),
        (authority.pem + cut, "n° 2 est tronqué"),
        (cut + authority.pem, "n° 1"),
        (authority.pem + torn, "n° 2 est abîmé"),
    ):
        with override("fr"), pytest.raises(ValidationError) as refused:
            read_authorities(text)
        assert refused.value.code == "damaged"
        assert told in " ".join(refused.value.messages).replace("\u00a0", " ")

    identity = authority.identity(ROUTER)
    with override("fr"), pytest.raises(ValidationError) as refused:
        read_identity(identity.chain, identity.key.reveal()[:-60])
    assert "abîmée" in " ".join(refused.value.messages)


def test_what_the_router_cannot_show_is_refused(authority: Authority, tmp_path: Path) -> None:
    identity, other = authority.identity(ROUTER), Authority(tmp_path, "Other").identity(ROUTER)
    expired = authority.identity(ROUTER, lasts=timedelta(days=-1))
    for chain, key in (
        (identity.chain, other.key.reveal()),
        (expired.chain, expired.key.reveal()),
        (authority.pem + identity.chain, identity.key.reveal()),
        (identity.chain + other.chain, identity.key.reveal()),
        (identity.chain, "nonsense"),
        (identity.chain + identity.key.reveal(), identity.key.reveal()),
        (identity.chain, encrypted()),
    ):
        with pytest.raises(ValidationError):
            read_identity(chain, key)
    shown = read_identity(identity.chain + authority.pem, identity.key.reveal())
    assert shown.identity.chain == identity.chain + authority.pem


def encrypted() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    ).decode()


def test_an_it_department_hears_once_that_a_certificate_expires(
    cast: Cast, deployment: Deployment, authority: Authority
) -> None:
    identity = authority.identity(ROUTER, lasts=timedelta(days=40))
    shown = read_identity(identity.chain, identity.key.reveal())
    certificate = show_certificate(by=OPERATOR, server=deployment.server, shown=shown)
    for days in (31, 30, 29, 28):
        ClientCertificate.objects.filter(pk=certificate.pk).update(
            expires_at=timezone.now() + timedelta(days=days)
        )
        warn_of_certificates()

    (told,) = deliver()
    assert told.to == [cast.rennes_dsi.email]
    assert deployment.server.name in told.subject
