from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IdentityConfig(AppConfig):
    name = "federation.identity"
    verbose_name = _("sign-in by institutions")

    def ready(self) -> None:
        from federation.identity.signals import connect  # noqa: PLC0415  # models come first

        connect()
