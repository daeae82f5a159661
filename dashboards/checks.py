"""What is looked at before the portal starts: settings that would break every page."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.core.checks import CheckMessage, Error, register


@register()
def check_logo(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    if find(settings.SITE_LOGO):
        return []
    return [
        Error(
            f"SITE_LOGO is {settings.SITE_LOGO!r}, and there is no such file.",
            hint="Put the file under static/ and name it from there, such as img/logo.svg.",
            id="dashboards.E001",
        )
    ]
