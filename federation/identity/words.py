"""Codes in words: why a file of metadata is not believed, and why nobody is let in, with the way out."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from federation.identity.claims import Doubt
from federation.identity.metadata import Fault, Skipped
from federation.identity.models import SignInService

FAULTS: Mapping[Fault, str | Promise] = {
    Fault.TOO_LARGE: gettext_lazy("It is larger than any federation’s metadata."),
    Fault.NOT_XML: gettext_lazy("It is no metadata: not XML, or not whole."),
    Fault.UNSIGNED: gettext_lazy("It is not signed."),
    Fault.SIGNATURE: gettext_lazy(
        "Its signature is not that of the certificate: it was changed on its way, or the federation has a new key."
    ),
    Fault.ALGORITHM: gettext_lazy("Its signature uses methods that are not safe any more."),
    Fault.NOT_WHOLE: gettext_lazy("Its signature does not cover the whole of it."),
    Fault.EXPIRED: gettext_lazy("It has expired: the federation, or a copy in between, is late."),
    Fault.NO_END: gettext_lazy("It does not say until when it holds."),
    Fault.CERTIFICATE: gettext_lazy("The certificate cannot be read: PEM is expected."),
    Fault.AWAY: gettext_lazy("Its address does not answer, or is not one that may be reached."),
}
SKIPPED: Mapping[Skipped, str | Promise] = {
    Skipped.NO_REDIRECT: gettext_lazy("cannot be asked by a redirect"),
    Skipped.NO_CERTIFICATE: gettext_lazy("without a certificate"),
    Skipped.NO_ADDRESS: gettext_lazy("without a usable name or address"),
}


def doubt_in_words(doubt: Doubt, service: SignInService) -> dict[str, str]:
    """Return what was refused and what to do, for the person before the screen."""
    named = {"service": service.name}
    match doubt:
        case Doubt.NO_UID:
            return {
                "reason": _("%(service)s has not told us who you are: no lasting identifier came.")
                % named,
                "way_out": _(
                    "Ask its IT department to release subject-id or eduPersonPrincipalName to this service."
                ),
            }
        case Doubt.OTHER_DOMAIN:
            return {
                "reason": _("%(service)s has spoken for a domain that is not its own.") % named,
                "way_out": _("Its IT department can see to it: the scopes of its metadata."),
            }
        case Doubt.OTHER_INSTITUTION:
            return {
                "reason": _("%(service)s has named another institution than its own.") % named,
                "way_out": _(
                    "Choose that institution’s own sign-in, or ask the federation which of them is right."
                ),
            }
        case Doubt.NO_EMAIL:
            return {
                "reason": _("%(service)s has not told us your e-mail address.") % named,
                "way_out": _(
                    "Ask its IT department to release “mail”, or open an account with your address here."
                ),
            }
