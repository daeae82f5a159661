"""What is told by mail about servers, to who runs them and to who decides, each in their own language.

Not here: what goes wrong on the way, which must not undo what is told: the log has it.
"""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import override

from federation.fleet.models import (
    ClientCertificate,
    ConformityRun,
    InferenceServer,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.fleet.reports import red_lines
from federation.members.models import Institution
from federation.members.queries import committee
from federation.people.enums import Role
from federation.people.models import RoleGrant, User

logger = logging.getLogger(__name__)


def tell_sent_back(run: ConformityRun) -> None:
    """The server is in staging again: it no longer does what it is declared to do."""
    for reader in it_department(run.server.institution):
        with override(reader.language):
            lines = red_lines(run)
            _send(reader, "sent_back", run.server, {"lines": lines})


def tell_checked(server: InferenceServer) -> None:
    """Its reports are green: an administrator who has not registered it may put it into service."""
    readers = [reader for reader in committee() if reader.pk != server.registered_by_id]
    _tell(readers, "checked", server, {})


def tell_private(server: InferenceServer) -> None:
    """Its address is private: without the federation's leave nothing more is tried."""
    readers = [reader for reader in committee() if reader.pk != server.registered_by_id]
    _tell(readers, "private", server, {})


def tell_accepted(form: TechnicalForm) -> None:
    if form.server is not None:
        _tell(it_department(form.institution), "accepted", form.server, {})


def tell_declined(form: TechnicalForm) -> None:
    if form.server is not None:
        readers = it_department(form.institution)
        _tell(readers, "declined", form.server, {"reason": form.decline_reason})


def tell_network_decided(grant: SiteEgressGrant) -> None:
    """The router is let into a site's network, or is not."""
    _tell_of_network(it_department(grant.site.institution), "network_decided", grant)


def tell_network_asked(grant: SiteEgressGrant) -> None:
    """An IT department asks that the router be let into its network: the federation decides."""
    readers = [reader for reader in committee() if reader.pk != grant.asked_by_id]
    _tell_of_network(readers, "network_asked", grant)


def tell_network_ended(grant: SiteEgressGrant) -> None:
    """Leave for a network was withdrawn by the federation, or its last day is past."""
    _tell_of_network(it_department(grant.site.institution), "network_ended", grant)


def tell_certificate_ends(certificate: ClientCertificate) -> bool:
    """The certificate that the router shows to a server expires soon. Return whether anybody could be told."""
    server = certificate.server
    page = reverse("server_certificates", args=[server.pk])
    context = {"server": server, "expires_at": certificate.expires_at}
    told = []
    for reader in it_department(server.institution):
        with override(reader.language):
            told.append(_post(reader, "certificate_ends", page, context))
    return any(told)


def it_department(institution: Institution) -> list[User]:
    """Return the open accounts of an institution's IT department."""
    grants = RoleGrant.objects.filter(role=Role.MEMBER_DSI, institution_id=institution.pk)
    return list(User.objects.filter(pk__in=grants.values("user_id"), is_active=True))


def _tell(
    readers: Iterable[User], name: str, server: InferenceServer, context: dict[str, object]
) -> None:
    for reader in readers:
        with override(reader.language):
            _send(reader, name, server, context)


def _tell_of_network(readers: Iterable[User], name: str, grant: SiteEgressGrant) -> None:
    page = reverse("site_network", args=[grant.pk])
    for reader in readers:
        with override(reader.language):
            _post(reader, name, page, {"grant": grant, "site": grant.site})


def _send(reader: User, name: str, server: InferenceServer, context: dict[str, object]) -> None:
    _post(reader, name, reverse("server_report", args=[server.pk]), {**context, "server": server})


def _post(reader: User, name: str, page: str, context: dict[str, object]) -> bool:
    """Return whether the mail was sent."""
    whole = {**context, "address": settings.PUBLIC_URL + page, "site_name": settings.SITE_NAME}
    subject = render_to_string(f"fleet/mail/{name}_subject.txt", whole)
    text = render_to_string(f"fleet/mail/{name}.txt", whole)
    try:
        send_mail(
            settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + " ".join(subject.split()),
            text,
            settings.DEFAULT_FROM_EMAIL,
            [reader.email],
        )
    except OSError as error:
        logger.error("a mail about %s could not be sent: %s", page, error)
        return False
    return True
