"""What every template knows: the site's name and logo, where one can go, whom to write to, what is invented."""

from django.conf import settings
from django.http import HttpRequest

from dashboards.demonstration import is_demonstration
from dashboards.navigation import Shown, account_entries, main_entries, menu_entries


def site(request: HttpRequest) -> dict[str, object]:
    return {
        **site_facts(),
        "navigation": Navigation(request),
        "is_demonstration": is_demonstration,  # called by the pages that say so, not by fragments
    }


def site_facts() -> dict[str, object]:
    """What a page can say without a request or a database."""
    return {
        "site_name": settings.SITE_NAME,
        "site_tagline": settings.SITE_TAGLINE,
        "site_logo": settings.SITE_LOGO,
        "site_contact": settings.SITE_CONTACT,
        "site_source": settings.SITE_SOURCE,
        "site_documentation": settings.SITE_DOCUMENTATION,
        "site_version": settings.VERSION,
        "shows_mail": settings.SHOWS_MAIL,
    }


class Navigation:
    """Looks at the person only when a template asks, so that a fragment costs no query."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def main(self) -> list[Shown]:
        return main_entries(self._request.user, self._request.path)

    @property
    def menu(self) -> list[Shown]:
        return menu_entries(self._request.user, self._request.path)

    @property
    def is_in_menu(self) -> bool:
        return any(shown.is_current for shown in self.menu)

    @property
    def account(self) -> list[Shown]:
        return account_entries(self._request.path)
