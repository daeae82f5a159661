"""The e-mails of this room."""

from django.conf import settings
from django.utils.translation import gettext as _

from federation.people.letters import Letter, page_address
from federation.people.models import User
from federation.people.post import post


def tell_reset_factor(user: User) -> None:
    """Tell somebody that their second factor was taken off, and what to do if they did not ask for it."""
    post(user, _factor_reset)


def _factor_reset() -> Letter:
    contact = settings.SITE_CONTACT
    return Letter(
        _("Your second factor was taken off"),
        (
            _(
                "The federation has taken the second factor off your account, and your recovery codes with "
                "it, as one does when a telephone or a key is lost. Your sessions have ended."
            ),
            _("Sign in with your password; the portal then leads you to setting a new one:"),
            page_address("account_login"),
            _("You did not ask for it? Choose another password at once:"),
            page_address("account_reset_password"),
            _("And write to %(contact)s.") % {"contact": contact} if contact else "",
        ),
    )
