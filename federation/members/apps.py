from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembersConfig(AppConfig):
    name = "federation.members"
    verbose_name = _("members")

    def ready(self) -> None:
        """Imported here: they need the models, which are loaded by now."""
        from federation.members.admission import Admission  # noqa: PLC0415
        from federation.members.enums import SubjectKind  # noqa: PLC0415
        from federation.members.subjects import register  # noqa: PLC0415

        register(SubjectKind.MEMBERSHIP, Admission())
