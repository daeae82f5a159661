from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BridgeConfig(AppConfig):
    name = "routing.bridge"
    label = "routing"
    verbose_name = _("routing")
