"""Models, their immutable versions, public names and routing policies. Which server runs them is the fleet's."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.enums import (
    STAGE_LABELS,
    Capability,
    Category,
)
from federation.people.models import User
from federation.people.scope import sees_everything
from routing.core.enums import LifecycleStage
from routing.core.table import OPEN_STAGES, SERVED_STAGES

PUBLIC_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$"
"""What clients put in `model`: names of the engines' world hold dots, colons and slashes."""
MOST_NOTE = 1000
HTTPS = URLValidator(schemes=["https"])
LONGEST_DESCRIPTION = 2000
"""Characters: a card is read at a glance, and its publisher's page tells the rest."""
SERVED = sorted(stage.value for stage in SERVED_STAGES)
OPEN_TO_ALL = sorted(stage.value for stage in OPEN_STAGES)
LEAVING = sorted((LifecycleStage.DEPRECATED.value, LifecycleStage.RETIRED.value))


def _billions(label: Any) -> Any:
    return models.DecimalField(
        label,
        max_digits=8,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.001"))],
    )


class AIModelQuerySet(models.QuerySet["AIModel"]):
    def for_user(self, user: User | AnonymousUser) -> "AIModelQuerySet":
        """Served models for everyone signed in: the catalogue is common; others for the federation."""
        if isinstance(user, AnonymousUser) or not user.is_active:
            return self.none()
        return self if sees_everything(user) else self.served()

    def served(self) -> "AIModelQuerySet":
        return self.filter(stage__in=SERVED)

    def open_to_all(self) -> "AIModelQuerySet":
        """Those that a key may ask without being named for a trial."""
        return self.filter(stage__in=OPEN_TO_ALL)

    def unnamed(self) -> "AIModelQuerySet":
        """Return the models that wait for the committee though nobody has proposed them.

        One that came with a technical form is proposed once its server was reached, and is nothing until then.
        """
        waiting = self.filter(stage=LifecycleStage.PROPOSED, proposals=None)
        return waiting.filter(technical_forms=None)

    def relying_on(self, fallback: "AIModel") -> "AIModelQuerySet":
        """Return the critical models for which `fallback` stands in."""
        return self.filter(
            minimum_services__current=True, minimum_services__fallback=fallback
        ).distinct()


class AIModel(Row):
    """A model under its public name (`slug`), whoever serves it."""

    slug = models.CharField(
        _("public name"), max_length=128, unique=True, validators=[RegexValidator(PUBLIC_NAME)]
    )
    display_name = models.CharField(_("name"), max_length=128)
    description_fr = models.TextField(
        _("description in French"), max_length=LONGEST_DESCRIPTION, blank=True
    )
    description_en = models.TextField(
        _("description in English"), max_length=LONGEST_DESCRIPTION, blank=True
    )
    publisher = models.CharField(_("publisher"), max_length=128, blank=True)
    licence = models.CharField(_("licence"), max_length=128, blank=True)
    publisher_url = models.CharField(
        _("publisher’s page"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        validators=[HTTPS],
    )
    licence_url = models.CharField(
        _("text of the licence"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        validators=[HTTPS],
    )
    languages = ArrayField(
        models.CharField(max_length=8), verbose_name=_("languages"), default=list, blank=True
    )
    capabilities = ArrayField(
        models.CharField(max_length=32, choices=Capability),
        verbose_name=_("capabilities"),
        default=list,
        blank=True,
    )
    parameters = _billions(_("parameters, in billions"))
    active_parameters = _billions(_("active parameters, in billions"))
    category = models.CharField(
        _("category"), max_length=16, choices=Category, default=Category.GENERALIST
    )
    stage = models.CharField(
        _("stage"),
        max_length=16,
        choices=STAGE_LABELS,
        default=LifecycleStage.PROPOSED.value,
    )
    deprecated_at = models.DateTimeField(_("deprecated"), null=True, blank=True)
    retires_on = models.DateField(_("retirement"), null=True, blank=True)
    successor = models.ForeignKey(
        "self",
        models.PROTECT,
        related_name="predecessors",
        null=True,
        blank=True,
        verbose_name=_("successor"),
    )
    deprecation_note_fr = models.TextField(
        _("note in French"), max_length=MOST_NOTE, blank=True, db_default=""
    )
    deprecation_note_en = models.TextField(
        _("note in English"), max_length=MOST_NOTE, blank=True, db_default=""
    )

    objects = AIModelQuerySet.as_manager()

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ("slug",)
        constraints = (
            models.UniqueConstraint(
                Lower("slug"), name="a_public_name_is_one_model_whatever_its_case"
            ),
            models.CheckConstraint(
                condition=Q(slug__regex=PUBLIC_NAME), name="a_public_name_has_no_odd_character"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=sorted(STAGE_LABELS)), name="a_stage_is_known"
            ),
            models.CheckConstraint(
                condition=Q(category__in=Category.values), name="a_category_is_known"
            ),
            models.CheckConstraint(
                condition=Q(capabilities__contained_by=Capability.values),
                name="capabilities_are_known",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=LEAVING)
                | Q(deprecated_at__isnull=True, retires_on__isnull=True, successor__isnull=True),
                name="only_a_model_that_leaves_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("id")),
                name="a_model_is_succeeded_by_another",
            ),
            models.CheckConstraint(
                condition=Q(publisher_url="") | Q(publisher_url__startswith="https://"),
                name="a_publisher_s_page_is_encrypted",
            ),
            models.CheckConstraint(
                condition=Q(licence_url="") | Q(licence_url__startswith="https://"),
                name="a_licence_s_page_is_encrypted",
            ),
            models.CheckConstraint(
                condition=Q(active_parameters__isnull=True)
                | Q(parameters__isnull=False, active_parameters__lte=F("parameters")),
                name="active_parameters_are_some_of_all",
            ),
            models.CheckConstraint(
                condition=Q(parameters__gt=0)
                & (Q(active_parameters__isnull=True) | Q(active_parameters__gt=0))
                | Q(parameters__isnull=True),
                name="a_model_has_parameters",
            ),
        )

    def __str__(self) -> str:
        return self.display_name

    @property
    def description(self) -> str:
        """The description in the reader's language, else in French."""
        english = (get_language() or "").startswith("en") and self.description_en
        return self.description_en if english else self.description_fr

    @property
    def last_day(self) -> date | None:
        """The last one on which a deprecated model is answered."""
        return self.retires_on - timedelta(days=1) if self.retires_on else None

    @property
    def deprecation_note(self) -> str:
        """The note on its deprecation in the reader's language, else in the other."""
        notes = (self.deprecation_note_fr, self.deprecation_note_en)
        english = (get_language() or "").startswith("en")
        return next(filter(None, reversed(notes) if english else notes), "")


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def for_user(self, user: User | AnonymousUser) -> "ModelVersionQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))


class ModelVersion(Row):
    """Weights, quantisation, context and template together: what two servers must share to be interchangeable.

    A trigger keeps every field but `current`: a change is a new version.
    """

    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="versions", verbose_name=_("model")
    )
    revision = models.CharField(_("weights"), max_length=200)
    quantisation = models.CharField(_("quantisation"), max_length=32, blank=True)
    context_length = models.PositiveIntegerField(
        _("context, in tokens"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    template = models.CharField(_("conversation template"), max_length=128, blank=True)
    current = models.BooleanField(_("current"), default=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        constraints = (
            models.UniqueConstraint(
                fields=("model", "revision", "quantisation", "context_length", "template"),
                nulls_distinct=False,
                name="a_version_is_registered_once",
            ),
            models.UniqueConstraint(
                fields=("model",), condition=Q(current=True), name="one_current_version_per_model"
            ),
            models.CheckConstraint(
                condition=Q(context_length__gt=0), name="a_context_holds_at_least_one_token"
            ),
        )

    def __str__(self) -> str:
        return " ".join(filter(None, (self.revision, self.quantisation)))


class AliasQuerySet(models.QuerySet["Alias"]):
    def for_user(self, user: User | AnonymousUser) -> "AliasQuerySet":
        return self.filter(model__in=AIModel.objects.for_user(user))

    def in_force(self) -> "AliasQuerySet":
        return self.filter(removed_at__isnull=True)


class Alias(Row):
    """Another public name of a model. From the first moment of `sunset`, in Paris, it is answered no more, and
    who asks for it is told what to ask for `instead`: a name never stands for another model than it stood for.
    """

    name = models.CharField(_("name"), max_length=128, validators=[RegexValidator(PUBLIC_NAME)])
    model = models.ForeignKey(
        AIModel, models.PROTECT, related_name="aliases", verbose_name=_("model")
    )
    successor = models.ForeignKey(
        AIModel,
        models.PROTECT,
        related_name="succeeds",
        null=True,
        blank=True,
        verbose_name=_("successor"),
    )
    sunset = models.DateField(_("announced end"), null=True, blank=True)
    announced_at = models.DateTimeField(_("announced"), null=True, blank=True)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    objects = AliasQuerySet.as_manager()

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        constraints = (
            models.UniqueConstraint(
                Lower("name"),
                condition=Q(removed_at__isnull=True),
                name="an_alias_is_one_model_whatever_its_case",
            ),
            models.CheckConstraint(
                condition=Q(name__regex=PUBLIC_NAME), name="an_alias_has_no_odd_character"
            ),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("model")),
                name="an_alias_is_succeeded_by_another_model",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def instead(self) -> AIModel:
        """What to ask for once it is gone: its successor, else what follows its model, else the model itself."""
        return self.successor or self.model.successor or self.model
