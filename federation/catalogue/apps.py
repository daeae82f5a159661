from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogueConfig(AppConfig):
    name = "federation.catalogue"
    verbose_name = _("catalogue")

    def ready(self) -> None:
        """Imported here: they need the models, which are loaded by now."""
        from federation.catalogue.adoption import Adoption  # noqa: PLC0415
        from federation.catalogue.operations.notices import note_sent  # noqa: PLC0415
        from federation.members.enums import SubjectKind  # noqa: PLC0415
        from federation.members.subjects import register  # noqa: PLC0415
        from federation.people.post import sent  # noqa: PLC0415

        register(SubjectKind.MODEL, Adoption())
        sent.connect(note_sent, dispatch_uid="note_sent")
