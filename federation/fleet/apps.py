from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FleetConfig(AppConfig):
    name = "federation.fleet"
    verbose_name = _("servers")

    def ready(self) -> None:
        """Imported here: they need the models, which are loaded by now."""
        from federation.catalogue.readiness import register  # noqa: PLC0415
        from federation.fleet.readiness import points_of_servers  # noqa: PLC0415

        register(points_of_servers)
