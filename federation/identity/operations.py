"""Writes about whom the federation believes: federations' metadata, services, and whose people they are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.identity.enums import Protocol
from federation.identity.fetching import download
from federation.identity.metadata import (
    Aggregate,
    Described,
    Fault,
    MetadataRefusedError,
    check_certificate,
    read_aggregate,
)
from federation.identity.models import FILE, MetadataSource, SignInService
from federation.identity.policies import check_keep_services, check_open_to_students
from federation.identity.words import FAULTS
from federation.journal.actors import Actor, is_operator
from federation.journal.operations import record
from federation.members.models import Institution
from routing.upstream.credentials import Secret, load_keys, seal, unseal

BATCH = 500
_FOLLOWED = ("names", "url", "scopes", "certificates", "is_hidden", "gone_at")
"""What of a service its federation's metadata decides; the rest is decided here."""


class OidcFacts(NamedTuple):
    """What an OpenID provider has given us, and the domains for which we believe it."""

    issuer: str
    name: str
    client_id: str
    secret: Secret
    scopes: Sequence[str] = ()
    is_proconnect: bool = False


@transaction.atomic
def add_source(*, by: Actor, name: str, url: str, certificate: str) -> MetadataSource:
    """Believe an identity federation; its metadata is read next. A file of the machine is an operator's to name."""
    check_keep_services(by)
    if url.startswith(FILE) and not is_operator(by):
        raise ValidationError(
            {"url": _("An address with https is needed: files are named by an operator’s command.")}
        )
    try:
        check_certificate(certificate)
    except MetadataRefusedError as refusal:
        raise ValidationError({"certificate": str(FAULTS[refusal.fault])}) from None
    source = MetadataSource(name=name.strip(), url=url.strip(), certificate=certificate.strip())
    source.full_clean()
    source.save()
    record(by=by, verb="identity.add_source", obj=source, diff={"url": source.url})
    return source


@transaction.atomic
def end_source(*, by: Actor, source: MetadataSource) -> MetadataSource:
    """Believe a federation no longer: nobody signs in by its services any more; accounts stay."""
    check_keep_services(by)
    locked = MetadataSource.objects.select_for_update().get(pk=source.pk)
    if locked.ended_at is not None:
        raise ValidationError(_("It has ended already."), code="ended")
    locked.ended_at = timezone.now()
    locked.save(update_fields=["ended_at"])
    locked.services.filter(gone_at__isnull=True).update(gone_at=locked.ended_at)
    record(by=by, verb="identity.end_source", obj=locked)
    return locked


def refresh_source(*, by: Actor, source: MetadataSource) -> MetadataSource:
    """Read a federation's metadata. What is refused leaves everything as it is, and says why in `failure`."""
    check_keep_services(by)
    try:
        aggregate = _read(source, timezone.now())
    except MetadataRefusedError as refusal:
        return _note_failure(by, source, refusal.fault)
    return _store(by, source, aggregate)


def _read(source: MetadataSource, now: datetime) -> Aggregate:
    if source.url.startswith(FILE):
        path = Path(source.url.removeprefix(FILE))
        if not path.is_file():
            raise MetadataRefusedError(Fault.AWAY)
        return read_aggregate(path, source.certificate, now)
    with NamedTemporaryFile(suffix=".xml") as file:
        download(source.url, Path(file.name))
        return read_aggregate(Path(file.name), source.certificate, now)


@transaction.atomic
def _note_failure(by: Actor, source: MetadataSource, fault: Fault) -> MetadataSource:
    locked = MetadataSource.objects.select_for_update().get(pk=source.pk)
    if locked.failure != fault:
        locked.failure = fault.value
        locked.save(update_fields=["failure"])
        record(by=by, verb="identity.refuse_metadata", obj=locked, diff={"fault": fault.value})
    return locked


@transaction.atomic
def _store(by: Actor, source: MetadataSource, aggregate: Aggregate) -> MetadataSource:
    """Write what is new or different, and mark as gone what is not there any more."""
    locked = MetadataSource.objects.select_for_update().get(pk=source.pk)
    if locked.ended_at is not None:
        raise ValidationError(_("It has ended already."), code="ended")
    known = {row.service_id: row for row in SignInService.objects.filter(source=locked)}
    foreign = set(SignInService.objects.exclude(source=locked).values_list("service_id", flat=True))
    named = {each.entity_id: each for each in aggregate.providers if each.entity_id not in foreign}
    new = [_new(locked, each) for key, each in named.items() if key not in known]
    changed = [row for key, row in known.items() if _follow(row, named.get(key))]
    SignInService.objects.bulk_create(new, batch_size=BATCH)
    SignInService.objects.bulk_update(changed, _FOLLOWED, batch_size=BATCH)
    locked.refreshed_at, locked.valid_until = timezone.now(), aggregate.valid_until
    locked.found, locked.failure = len(named), ""
    locked.skipped = {reason.value: count for reason, count in aggregate.skipped.items()}
    locked.save()
    diff = {"found": len(named), "new": len(new), "changed": len(changed)}
    if new or changed:
        record(by=by, verb="identity.read_metadata", obj=locked, diff=diff)
    return locked


def _new(source: MetadataSource, described: Described) -> SignInService:
    row = SignInService(protocol=Protocol.SAML.value, service_id=described.entity_id, source=source)
    _follow(row, described)
    return row


def _follow(row: SignInService, described: Described | None) -> bool:
    """Have a service say what its federation says of it; return whether that is something new."""
    before = [getattr(row, name) for name in _FOLLOWED]
    if described is None:
        row.gone_at = row.gone_at or timezone.now()
    else:
        row.names, row.url = described.names, described.sso_url
        row.scopes, row.certificates = list(described.scopes), list(described.certificates)
        row.is_hidden, row.gone_at = described.is_hidden, None
    return before != [getattr(row, name) for name in _FOLLOWED]


@transaction.atomic
def add_oidc_service(*, by: Actor, slug: str, facts: OidcFacts) -> SignInService:
    """Let people sign in by an OpenID provider."""
    check_keep_services(by)
    protocol = Protocol.PROCONNECT if facts.is_proconnect else Protocol.OIDC
    row = SignInService(
        protocol=protocol.value,
        service_id=facts.issuer.strip(),
        slug=slug,
        names={"fr": facts.name.strip(), "en": facts.name.strip()},
        url=facts.issuer.strip().rstrip("/"),
        scopes=[each.lower() for each in facts.scopes],
        client_id=facts.client_id.strip(),
    )
    row.sealed_secret = seal(str(row.pk), facts.secret, load_keys(settings.ENCRYPTION_KEY))
    row.full_clean()
    row.save()
    record(by=by, verb="identity.add_service", obj=row, diff={"issuer": row.service_id})
    return row


@transaction.atomic
def end_service(*, by: Actor, service: SignInService) -> SignInService:
    """Let nobody sign in by an OpenID provider any more; accounts stay, and open by a new password."""
    check_keep_services(by)
    locked = SignInService.objects.select_for_update().get(pk=service.pk)
    if locked.protocol == Protocol.SAML:
        raise ValidationError(_("This service follows its federation’s metadata."), code="followed")
    if locked.gone_at is not None:
        raise ValidationError(_("It has ended already."), code="ended")
    locked.gone_at, locked.sealed_secret = timezone.now(), ""
    locked.save(update_fields=["gone_at", "sealed_secret"])
    record(by=by, verb="identity.end_service", obj=locked)
    return locked


@transaction.atomic
def link_service(
    *, by: Actor, service: SignInService, institution: Institution | None
) -> SignInService:
    """Say whose people a service vouches for; None for nobody's: they sign in, and no role follows."""
    check_keep_services(by)
    locked = SignInService.objects.select_for_update().get(pk=service.pk)
    before, locked.institution = locked.institution_id, institution
    locked.save(update_fields=["institution"])
    diff = {"institution": [before, institution.pk if institution else None]}
    record(by=by, verb="identity.link_service", obj=locked, institution=institution, diff=diff)
    return locked


@transaction.atomic
def open_to_students(*, by: Actor, service: SignInService, is_open: bool) -> SignInService:
    """Let students of an institution have a user's role by signing in, or staff alone."""
    check_open_to_students(by, service)
    locked = SignInService.objects.select_for_update().get(pk=service.pk)
    before, locked.takes_students = locked.takes_students, is_open
    locked.save(update_fields=["takes_students"])
    record(
        by=by,
        verb="identity.open_to_students",
        obj=locked,
        institution=locked.institution,
        diff={"takes_students": [before, is_open]},
    )
    return locked


def service_secret(service: SignInService) -> Secret:
    """Return what the OpenID provider knows us by. Raises `UnsealError`."""
    return unseal(str(service.pk), service.sealed_secret, load_keys(settings.ENCRYPTION_KEY))


def refresh_all(*, by: Actor, sources: Iterable[MetadataSource]) -> int:
    """Refresh each; return how many were refused."""
    return sum(bool(refresh_source(by=by, source=source).failure) for source in sources)
