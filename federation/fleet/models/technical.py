"""The technical form: what an institution's IT department declares of a server that it lends."""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.models import PUBLIC_NAME, AIModel
from federation.fleet.enums import Availability, Engine, FormState, Modality, SiteLabel
from federation.fleet.models.servers import MOST_GPUS, InferenceServer, Site
from federation.members.models import Institution
from federation.people.enums import Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything

MOST_TOKENS = 16_777_216
MOST_PARALLEL = 10_000
MOST_RESERVED = 90
"""Per cent: what is lent must be worth lending."""


def _modalities() -> list[str]:
    return [Modality.CHAT.value]


class TechnicalFormQuerySet(models.QuerySet["TechnicalForm"]):
    def for_user(self, user: User | AnonymousUser) -> "TechnicalFormQuerySet":
        if sees_everything(user):
            return self
        return self.filter(institution__in=institution_ids_for(user, Role.MEMBER_DSI))


class TechnicalForm(Row):
    """What is declared of one server; a draft may lack anything. `number` counts the changes: two editors are told.

    `declared_by` are the people who have written something of it since it was last accepted: none of them decides.

    `sealed_key` is the access key of a draft, sealed for the form's id, and so is `sealed_client_key`, of the
    certificate that the router is to show; from the submission on the server has them.
    """

    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="technical_forms", verbose_name=_("institution")
    )
    filled_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("filled in by"),
    )
    declared_by = models.ManyToManyField(
        User, related_name="+", blank=True, verbose_name=_("declared by")
    )
    state = models.CharField(_("state"), max_length=9, choices=FormState, default=FormState.DRAFT)
    number = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    server = models.OneToOneField(
        InferenceServer,
        models.PROTECT,
        related_name="technical_form",
        null=True,
        blank=True,
        verbose_name=_("server"),
    )
    server_name = models.CharField(_("name of the server"), max_length=100, blank=True)
    engine = models.CharField(_("engine"), max_length=16, choices=Engine, blank=True)
    base_url = models.CharField(_("address"), max_length=500, blank=True)
    sealed_key = models.TextField(blank=True)
    ca_bundle = models.TextField(_("certificate authority"), blank=True)
    client_chain = models.TextField(_("client certificate"), blank=True)
    sealed_client_key = models.TextField(blank=True)
    model = models.ForeignKey(
        AIModel,
        models.PROTECT,
        related_name="technical_forms",
        null=True,
        blank=True,
        verbose_name=_("model"),
    )
    proposed_model = models.CharField(
        _("public name of a new model"),
        max_length=128,
        blank=True,
        validators=[RegexValidator(PUBLIC_NAME)],
    )
    served_name = models.CharField(_("name on the server"), max_length=200, blank=True)
    quantisation = models.CharField(_("quantisation"), max_length=32, blank=True)
    context_length = models.PositiveIntegerField(
        _("context window, in tokens"),
        null=True,
        blank=True,
        validators=[MinValueValidator(256), MaxValueValidator(MOST_TOKENS)],
    )
    tools = models.BooleanField(_("calls tools"), default=False)
    json_schema = models.BooleanField(_("answers after a JSON schema"), default=False)
    modalities = ArrayField(
        models.CharField(max_length=12, choices=Modality),
        verbose_name=_("modalities"),
        default=_modalities,
        blank=True,
    )
    gpu_type = models.CharField(_("type of GPU"), max_length=80, blank=True)
    gpu_count = models.PositiveSmallIntegerField(
        _("number of GPUs"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_GPUS)],
    )
    site = models.ForeignKey(
        Site,
        models.PROTECT,
        related_name="technical_forms",
        null=True,
        blank=True,
        verbose_name=_("site"),
    )
    site_name = models.CharField(_("name of the new site"), max_length=100, blank=True)
    site_city = models.CharField(_("city of the new site"), max_length=100, blank=True)
    site_pue = models.DecimalField(
        _("PUE of the new site"),
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
    )
    site_labels = ArrayField(
        models.CharField(max_length=40, choices=SiteLabel),
        verbose_name=_("labels of the new site"),
        default=list,
        blank=True,
    )
    max_parallel = models.PositiveIntegerField(
        _("most requests at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PARALLEL)],
    )
    reserved_share = models.PositiveSmallIntegerField(
        _("reserved for the owner, in per cent"),
        default=0,
        validators=[MaxValueValidator(MOST_RESERVED)],
    )
    availability = models.CharField(
        _("availability"), max_length=8, choices=Availability, default=Availability.ALWAYS
    )
    week = models.JSONField(_("hours of the week"), default=list, blank=True)
    slurm_note = models.CharField(_("Slurm slots"), max_length=500, blank=True)
    job_hosts = ArrayField(
        models.CharField(max_length=253),
        verbose_name=_("where its jobs run"),
        default=list,
        db_default=Value("{}"),
        blank=True,
    )
    decline_reason = models.CharField(_("reason"), max_length=500, blank=True)

    objects = TechnicalFormQuerySet.as_manager()

    class Meta:
        verbose_name = _("technical form")
        verbose_name_plural = _("technical forms")
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state__in=FormState.values), name="a_form_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state=FormState.DRAFT) | Q(server__isnull=False),
                name="a_form_that_was_handed_in_has_a_server",
            ),
            models.CheckConstraint(
                condition=Q(reserved_share__lte=MOST_RESERVED),
                name="an_owner_reserves_at_most_90_per_cent",
            ),
        )

    def __str__(self) -> str:
        return self.server_name or str(self.pk)

    @property
    def model_name(self) -> str:
        """The public name, of a model that is there or of one that is proposed."""
        return self.model.slug if self.model else self.proposed_model
