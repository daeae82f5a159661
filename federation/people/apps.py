from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "federation.people"
    verbose_name = _("people")

    def ready(self) -> None:
        from federation.people.signals import connect  # noqa: PLC0415  # models come first

        connect()
