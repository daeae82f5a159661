"""What every test needs: pages that find their static files without these being collected first."""

from pathlib import Path

import pytest
from django.conf import settings


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Plain addresses instead of hashed ones; browser tests serve the collected files in a process of their own."""
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
