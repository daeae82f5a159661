"""What is told by mail about servers, to who runs them and to who decides."""

from collections.abc import Iterable
from functools import partial

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from federation.fleet.enums import SiteGrantState
from federation.fleet.models import (
    ClientCertificate,
    ConformityRun,
    InferenceServer,
    SiteEgressGrant,
    TechnicalForm,
)
from federation.fleet.policies import is_not_own
from federation.fleet.reports import ReportLine, red_lines
from federation.members.models import Institution
from federation.members.queries import committee
from federation.people.enums import Role
from federation.people.letters import Letter, page_address
from federation.people.models import RoleGrant, User
from federation.people.post import post_each


def it_department(institution: Institution) -> list[User]:
    """Return the open accounts of an institution's IT department."""
    grants = RoleGrant.objects.filter(role=Role.MEMBER_DSI, institution_id=institution.pk)
    return list(User.objects.filter(pk__in=grants.values("user_id"), is_active=True))


def tell_sent_back(run: ConformityRun) -> None:
    """The server is in staging again: it no longer does what it is declared to do."""
    post_each(it_department(run.server.institution), partial(_sent_back, run))


def _sent_back(run: ConformityRun) -> Letter:
    said = {"name": run.server.name}
    return Letter(
        _("“%(name)s” is no longer in service") % said,
        (
            _(
                "The nightly checks of “%(name)s” have failed twice. The server is in staging again: requests "
                "go to other servers, none comes to it."
            )
            % said,
            _("What is wrong:"),
            "\n".join(_red(line) for line in red_lines(run)),
            _(
                "When it is put right, run the checks again on its page; then the federation takes it back "
                "into service:"
            ),
            _page_of(run.server),
        ),
    )


def _red(line: ReportLine) -> str:
    colon = pgettext("between a field and what is wrong with it", ": ")
    advice = f"\n  {line.advice}" if line.advice else ""
    return f"- {line.label}{colon}{line.text}{advice}"


def tell_checked(server: InferenceServer) -> None:
    """Its reports are green: an administrator who has not registered it may put it into service."""
    post_each(_who_may_decide(server), partial(_checked, server))


def _checked(server: InferenceServer) -> Letter:
    institution = server.institution
    return Letter(
        _("“%(name)s” of %(institution)s waits for a decision")
        % {"name": server.name, "institution": institution.short_name},
        (
            _(
                "%(institution)s lends “%(name)s”. The router has tried it: both reports are green. Its page, "
                "where you can put it into service:"
            )
            % {"name": server.name, "institution": institution.name},
            _page_of(server),
        ),
    )


def tell_private(server: InferenceServer) -> None:
    """Its address is private: without the federation's leave nothing more is tried."""
    post_each(_who_may_decide(server), partial(_private, server))


def _private(server: InferenceServer) -> Letter:
    institution = server.institution
    return Letter(
        _("“%(name)s” of %(institution)s asks for leave to a private address")
        % {"name": server.name, "institution": institution.short_name},
        (
            _(
                "%(institution)s lends “%(name)s”, whose address is private: the router goes there only once "
                "you have allowed it, on the server's page. The checks then begin again by themselves."
            )
            % {"name": server.name, "institution": institution.name},
            _page_of(server),
        ),
    )


def _who_may_decide(server: InferenceServer) -> Iterable[User]:
    return [reader for reader in committee() if is_not_own(reader, server)]


def tell_accepted(form: TechnicalForm) -> None:
    if form.server is not None:
        post_each(it_department(form.institution), partial(_accepted, form.server))


def _accepted(server: InferenceServer) -> Letter:
    said = {"name": server.name}
    return Letter(
        _("“%(name)s” is in service") % said,
        (
            _("The federation has put “%(name)s” into service. Thank you for lending it. Its page:")
            % said,
            _page_of(server),
        ),
    )


def tell_declined(form: TechnicalForm) -> None:
    if form.server is not None:
        readers = it_department(form.institution)
        post_each(readers, partial(_declined, form.server, form.decline_reason))


def _declined(server: InferenceServer, reason: str) -> Letter:
    said = {"name": server.name}
    return Letter(
        _("“%(name)s” was not accepted") % said,
        (
            _("The federation has not accepted “%(name)s”. The reason that was given:") % said,
            reason,
            _("You may hand in another form. The page of the server:"),
            _page_of(server),
        ),
    )


def _page_of(server: InferenceServer) -> str:
    return page_address("server_report", server.pk)


def tell_network_asked(grant: SiteEgressGrant) -> None:
    """An IT department asks that the router be let into its network: the federation decides."""
    readers = [reader for reader in committee() if reader.pk != grant.asked_by_id]
    post_each(readers, partial(_network_asked, grant))


def _network_asked(grant: SiteEgressGrant) -> Letter:
    institution = grant.site.institution
    return Letter(
        _("%(institution)s asks for leave to the network %(network)s")
        % {**_of(grant), "institution": institution.short_name},
        (
            _(
                "%(institution)s asks the federation to let its router reach the servers of the site “%(site)s” "
                "in the private network %(network)s, on the ports %(ports)s. The reason that is given:"
            )
            % {**_of(grant), "institution": institution.name, "ports": grant.written_ports},
            grant.reason,
            _("Allow or decline it on its page:"),
            page_address("site_network", grant.pk),
        ),
    )


def tell_network_decided(grant: SiteEgressGrant) -> None:
    """The router is let into a site's network, or is not."""
    letter = _network_allowed if grant.state == SiteGrantState.GRANTED else _network_declined
    post_each(it_department(grant.site.institution), partial(letter, grant))


def _network_allowed(grant: SiteEgressGrant) -> Letter:
    text = _(
        "The federation lets its router reach the servers of the site “%(site)s” in the network %(network)s. "
        "Run the checks of your servers again; the firewall on your side has to let the router through, too."
    )
    return Letter(
        _("The router is let into %(network)s") % _of(grant), (text % _of(grant), *_page(grant))
    )


def _network_declined(grant: SiteEgressGrant) -> Letter:
    text = _(
        "The federation does not let its router reach the servers of the site “%(site)s” in the network "
        "%(network)s. The reason that was given:"
    )
    return Letter(
        _("The router is not let into %(network)s") % _of(grant),
        (text % _of(grant), grant.answer, *_page(grant)),
    )


def tell_network_ended(grant: SiteEgressGrant) -> None:
    """Leave for a network was withdrawn by the federation, or its last day is past."""
    post_each(it_department(grant.site.institution), partial(_network_ended, grant))


def _network_ended(grant: SiteEgressGrant) -> Letter:
    text = _(
        "The network %(network)s of the site “%(site)s” is closed to the router: the federation has withdrawn "
        "its leave, or the last day is past. Servers that were reached there get no more requests; you may ask "
        "for a network again."
    )
    return Letter(
        _("The network %(network)s is closed to the router") % _of(grant),
        (text % _of(grant), *_page(grant)),
    )


def _of(grant: SiteEgressGrant) -> dict[str, str]:
    return {"network": str(grant.network), "site": grant.site.name}


def _page(grant: SiteEgressGrant) -> tuple[str, str]:
    return _("The page of this network:"), page_address("site_network", grant.pk)


def tell_certificate_ends(certificate: ClientCertificate) -> list[User]:
    """The certificate that the router shows to a server expires soon. Return who is told."""
    readers = it_department(certificate.server.institution)
    return post_each(readers, partial(_certificate_ends, certificate), until=certificate.expires_at)


def _certificate_ends(certificate: ClientCertificate) -> Letter:
    day = date_format(timezone.localtime(certificate.expires_at), "DATE_FORMAT")
    said = {"name": certificate.server.name, "day": day}
    return Letter(
        _("The certificate for “%(name)s” expires on %(day)s") % said,
        (
            _(
                "The certificate that the router shows to “%(name)s” expires on %(day)s. From then on your "
                "server will not let the router in, and requests go to other servers."
            )
            % said,
            _("Have your authority issue another one, and put it in with its key here:"),
            page_address("server_certificates", certificate.server_id),
        ),
    )
