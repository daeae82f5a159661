"""A federation's signed metadata: what is believed of it, what follows for the register, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from lxml import etree

from federation.identity.metadata import Fault, MetadataRefusedError, Skipped, read_aggregate
from federation.identity.models import MetadataSource, SignInService
from federation.identity.operations import add_source, end_source, link_service, refresh_source
from federation.identity.tasks import refresh_metadata
from tests.integration.identity.conftest import Federation
from tests.support.factories import OPERATOR, Cast
from tests.support.saml import Idp, Signer, aggregate, write

NOW = datetime.now(UTC)
Capture = pytest.CaptureFixture[str]
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer.new("federation")


@pytest.fixture(scope="module")
def idps() -> list[Idp]:
    return [Idp("univ-rennes.fr", "Rennes"), Idp("univ-reims.fr", "Reims")]


def fault_of(path: Path, certificate: str, now: datetime = NOW) -> Fault:
    with pytest.raises(MetadataRefusedError) as refusal:
        read_aggregate(path, certificate, now)
    return refusal.value.fault


def test_what_a_federation_has_signed_is_read(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    idps = [*idps, Idp("hidden.fr", "H", hidden=True), Idp("post.fr", "P", bindings=("HTTP-POST",))]
    found = read_aggregate(write(aggregate(idps, signer), tmp_path / "m"), signer.certificate, NOW)

    assert [each.entity_id for each in found.providers] == [each.entity_id for each in idps[:3]]
    assert found.providers[0].names == {"fr": "Rennes"}
    assert found.providers[0].scopes == ("univ-rennes.fr",)
    assert found.providers[0].certificates == (idps[0].signer.base64,)
    assert [each.is_hidden for each in found.providers] == [False, False, True]
    assert found.skipped == {Skipped.NO_REDIRECT: 1}
    assert found.valid_until > NOW


def test_what_anybody_else_has_signed_is_not(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    other = Signer.new("somebody")
    path = write(aggregate(idps, other), tmp_path / "m")

    assert fault_of(path, signer.certificate) is Fault.SIGNATURE


@pytest.mark.parametrize(
    "what", ["entityID", "Location", "scope", "added", "attribute of the root"]
)
def test_what_was_changed_on_its_way_is_not(
    signer: Signer, idps: list[Idp], tmp_path: Path, what: str
) -> None:
    root = aggregate(idps, signer)
    entity = root.find(f"{MD}EntityDescriptor")
    assert entity is not None
    match what:
        case "entityID":
            entity.set("entityID", "https://evil.example.org")
        case "Location":
            next(entity.iter(f"{MD}SingleSignOnService")).set(
                "Location", "https://evil.example.org"
            )
        case "scope":
            next(entity.iter("{urn:mace:shibboleth:metadata:1.0}Scope")).text = "univ-reims.fr"
        case "added":
            root.append(etree.fromstring(etree.tostring(entity)))
        case _:
            root.set("validUntil", "2040-01-01T00:00:00Z")

    assert fault_of(write(root, tmp_path / "m"), signer.certificate) is Fault.SIGNATURE


def test_without_a_signature_or_with_a_weak_one_it_is_not(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    root = aggregate(idps, signer)
    root.remove(root[0])
    assert fault_of(write(root, tmp_path / "m"), signer.certificate) is Fault.UNSIGNED
    weak = aggregate(idps, signer, weak=True)
    assert fault_of(write(weak, tmp_path / "m"), signer.certificate) is Fault.ALGORITHM


def test_a_signature_of_a_part_is_none_of_the_whole(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    """The signed aggregate is put beside an entity of somebody else's, in a new root that borrows the signature."""
    signed = aggregate(idps[:1], signer)
    wrapper = etree.Element(f"{MD}EntitiesDescriptor", ID="_w", validUntil="2040-01-01T00:00:00Z")
    wrapper.append(signed[0])
    wrapper.append(signed)
    wrapper.append(
        etree.fromstring(
            Idp("evil.fr", "Evil")
            .metadata()
            .replace("<md:", "<md:", 1)
            .replace(
                "<md:EntityDescriptor",
                '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"',
                1,
            )
        )
    )

    assert fault_of(write(wrapper, tmp_path / "m"), signer.certificate) is Fault.NOT_WHOLE


def test_what_has_expired_or_never_does_is_not(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    path = write(aggregate(idps, signer), tmp_path / "m")
    assert fault_of(path, signer.certificate, NOW + timedelta(days=8)) is Fault.EXPIRED
    root = aggregate(idps, signer)
    del root.attrib["validUntil"]
    root.remove(root[0])
    signer.sign(root, 0)
    assert fault_of(write(root, tmp_path / "m"), signer.certificate) is Fault.NO_END


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"\x00\xff",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b"<x xmlns='urn:oasis:names:tc:SAML:2.0:metadata'/>",
    ],
)
def test_what_is_no_metadata_is_refused(signer: Signer, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m"
    path.write_bytes(content)

    assert fault_of(path, signer.certificate) in {Fault.NOT_XML, Fault.UNSIGNED}


def test_a_certificate_that_is_none_is_told(
    signer: Signer, idps: list[Idp], tmp_path: Path
) -> None:
    path = write(aggregate(idps, signer), tmp_path / "m")

    assert (
        fault_of(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        is Fault.CERTIFICATE
    )


def test_the_register_follows_a_federation(cast: Cast, federation: Federation) -> None:
    nantes = Idp("univ-nantes.fr", "Université de Nantes")
    federation.idps = [federation.rennes, nantes]
    federation.rennes.name = "Rennes, autrement"
    federation.publish()

    source = federation.read()

    assert (source.found, source.failure) == (2, "")
    services = SignInService.objects.usable()
    assert {each.service_id for each in services} == {federation.rennes.entity_id, nantes.entity_id}
    rennes = services.get(service_id=federation.rennes.entity_id)
    assert (rennes.name, rennes.institution) == ("Rennes, autrement", cast.rennes)
    federation.idps.append(federation.reims)
    federation.publish()
    federation.read()
    assert SignInService.objects.usable().count() == 3


def test_what_is_refused_leaves_everything_as_it_is(federation: Federation) -> None:
    before = list(SignInService.objects.order_by("pk").values())
    write(aggregate(federation.idps, Signer.new("somebody")), federation.path)

    assert refresh_metadata() == 1

    federation.source.refresh_from_db()
    assert federation.source.failure == Fault.SIGNATURE
    assert list(SignInService.objects.order_by("pk").values()) == before
    federation.path.unlink()
    refresh_metadata()
    federation.source.refresh_from_db()
    assert federation.source.failure == Fault.AWAY
    federation.publish()
    assert refresh_metadata() == 0


def test_one_federation_does_not_take_anothers_provider(
    federation: Federation, tmp_path: Path
) -> None:
    signer, path = Signer.new("other"), tmp_path / "other.xml"
    evil = Idp(federation.rennes.domain, "Evil")
    write(aggregate([evil], signer), path)
    other = add_source(
        by=OPERATOR, name="Autre", url=f"file:{path}", certificate=signer.certificate
    )

    refresh_source(by=OPERATOR, source=other)

    row = SignInService.objects.get(service_id=evil.entity_id)
    assert row.source == federation.source
    assert row.certificates == [federation.rennes.signer.base64]


def test_an_ended_federation_vouches_for_nobody(federation: Federation) -> None:
    end_source(by=OPERATOR, source=federation.source)

    assert not SignInService.objects.usable().exists()
    with pytest.raises(ValidationError):
        refresh_source(by=OPERATOR, source=federation.source)
    with pytest.raises(ValidationError):
        end_source(by=OPERATOR, source=federation.source)
    assert refresh_metadata() == 0


def test_only_the_federation_decides_whom_it_believes(cast: Cast, federation: Federation) -> None:
    service = SignInService.objects.get(service_id=federation.reims.entity_id)
    for person in (cast.rennes_dsi, cast.auditor, cast.intruder):
        with pytest.raises(PermissionDenied):
            link_service(by=person, service=service, institution=cast.reims)
        with pytest.raises(PermissionDenied):
            end_source(by=person, source=federation.source)
    with pytest.raises(ValidationError, match="https"):  # a person names no file of the machine
        add_source(by=cast.admin, name="x", url="file:/etc/passwd", certificate="x")


def test_an_operator_names_a_file(cast: Cast, tmp_path: Path, capsys: Capture) -> None:
    signer = Signer.new("federation")
    write(aggregate([Idp("univ-lyon.fr", "Lyon")], signer), tmp_path / "metadata.xml")
    (tmp_path / "federation.pem").write_text(signer.certificate)

    call_command(
        "add_identity_federation",
        "Fédération",
        f"--file={tmp_path / 'metadata.xml'}",
        f"--certificate={tmp_path / 'federation.pem'}",
    )

    assert "Fédération: 1 sign-in services until" in capsys.readouterr().out
    assert SignInService.objects.get().name == "Lyon"


@pytest.mark.parametrize(
    ("certificate", "said"),
    [("no certificate", "PEM is expected"), (None, "cannot be read")],
)
def test_a_certificate_that_is_none_is_refused_before_anything_is_believed(
    cast: Cast, tmp_path: Path, certificate: str | None, said: str
) -> None:
    if certificate is not None:
        (tmp_path / "federation.pem").write_text(certificate)

    with pytest.raises(CommandError, match=said):
        call_command(
            "add_identity_federation",
            "Fédération",
            "--url=https://mds.example.org/all",
            f"--certificate={tmp_path / 'federation.pem'}",
        )

    assert not MetadataSource.objects.exists()


def test_an_aggregate_that_is_away_is_said_at_once(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "federation.pem").write_text(Signer.new("federation").certificate)

    with pytest.raises(CommandError, match="tried again every six hours"):
        call_command(
            "add_identity_federation",
            "Fédération",
            f"--file={tmp_path / 'nothing.xml'}",
            f"--certificate={tmp_path / 'federation.pem'}",
        )

    assert MetadataSource.objects.get().failure == "away"


def test_what_is_longer_than_names_may_be_harms_no_other(
    cast: Cast, signer: Signer, tmp_path: Path
) -> None:
    odd = Idp(f"{'odd.' * 50}fr", "Odd", scopes=())
    far = Idp("univ-far.fr", "Far", scopes=(".".join(["far"] * 64), "univ-far.fr"))
    write(aggregate([odd, far], signer), tmp_path / "metadata.xml")
    source = add_source(
        by=OPERATOR,
        name="Fédération",
        url=f"file:{tmp_path / 'metadata.xml'}",
        certificate=signer.certificate,
    )

    read = refresh_source(by=OPERATOR, source=source)

    assert (read.failure, read.found, read.skipped) == ("", 1, {"no_address": 1})
    assert SignInService.objects.get().scopes == ["univ-far.fr"]
