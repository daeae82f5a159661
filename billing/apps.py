from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("accounts")

    def ready(self) -> None:
        """Imported here: they need the models, which are loaded by now."""
        from billing.usage.concerned import audience_of, own_keys  # noqa: PLC0415
        from federation.catalogue.audience import register  # noqa: PLC0415

        register(audience_of, own_keys)
