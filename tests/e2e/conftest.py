"""The browser and the portal that it looks at."""

from tests.support.browser import browser, complaints, portal, portal_process, visit

__all__ = ["browser", "complaints", "portal", "portal_process", "visit"]
