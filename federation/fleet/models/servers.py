"""Sites, inference servers, their access tokens, the private addresses they may have, what they serve, and to whom."""

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.catalogue.models import AIModel, ModelVersion
from federation.fleet.enums import SERVER_STATE_LABELS, DeploymentState, Engine, Grid
from federation.members.models import SLUG, Institution
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything
from routing.core.enums import PriorityClass, ServerState

MOST_GPUS = 4096


class SiteQuerySet(models.QuerySet["Site"]):
    def for_user(self, user: User | AnonymousUser) -> "SiteQuerySet":
        if sees_everything(user):
            return self
        return self.filter(institution_id__in=institution_ids_for(user))


class Site(Row):
    """A data centre of an institution. `pue`: power of the whole site over that of its machines."""

    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="sites", verbose_name=_("institution")
    )
    name = models.CharField(_("name"), max_length=100)
    city = models.CharField(_("city"), max_length=100, blank=True)
    pue = models.DecimalField(
        "PUE",
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
    )
    grid = models.CharField(
        _("electricity grid"), max_length=3, choices=Grid, default=Grid.FRANCE, db_default="FRA"
    )
    labels = ArrayField(
        models.CharField(max_length=40), verbose_name=_("labels"), default=list, blank=True
    )

    objects = SiteQuerySet.as_manager()

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        constraints = (
            models.UniqueConstraint(
                fields=("institution", "name"), name="a_site_name_is_unique_in_its_institution"
            ),
            models.CheckConstraint(condition=Q(pue__gte=1), name="a_pue_is_at_least_one"),
            models.CheckConstraint(condition=Q(grid__in=Grid.values), name="a_grid_is_known"),
        )

    def __str__(self) -> str:
        return self.name


class InferenceServerQuerySet(models.QuerySet["InferenceServer"]):
    def for_user(self, user: User | AnonymousUser) -> "InferenceServerQuerySet":
        if sees_everything(user):
            return self
        return self.filter(site__institution_id__in=institution_ids_for(user))

    def present(self) -> "InferenceServerQuerySet":
        return self.exclude(state=ServerState.RETIRED)

    def same_address_as(self, server: "InferenceServer") -> "InferenceServerQuerySet":
        """The other entries for one machine: each has its own limit, none knows of the others' requests."""
        return self.filter(base_url=server.base_url).exclude(pk=server.pk)


class InferenceServer(Row):
    """A server that answers inference requests. `max_parallel` is a ceiling, None when its owner sets none.

    `paused` says that it drains because its calendar says so or no job holds it, and will be back by itself.
    `held_since` is when its present job came, of a server that comes and goes with jobs.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="servers", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=100)
    slug = models.CharField(
        _("short identifier"), max_length=64, unique=True, validators=[RegexValidator(SLUG)]
    )
    engine = models.CharField(_("engine"), max_length=16, choices=Engine)
    base_url = models.CharField(_("address"), max_length=500)
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=SERVER_STATE_LABELS,
        default=ServerState.STAGING.value,
    )
    max_parallel = models.PositiveIntegerField(
        _("most requests at once"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    ca_bundle = models.TextField(_("certificate authority"), blank=True)
    gpu_type = models.CharField(_("type of GPU"), max_length=80, blank=True, db_default="")
    gpu_count = models.PositiveSmallIntegerField(
        _("number of GPUs"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_GPUS)],
    )
    registered_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("registered by"),
        help_text=_("empty when an operator's command did; the journal names it"),
    )
    paused = models.BooleanField(_("paused by its calendar"), default=False)
    held_since = models.DateTimeField(_("held by its job since"), null=True, blank=True)

    objects = InferenceServerQuerySet.as_manager()

    class Meta:
        verbose_name = _("inference server")
        verbose_name_plural = _("inference servers")
        ordering = ("slug",)
        constraints = (
            models.CheckConstraint(
                condition=Q(slug__regex=SLUG), name="a_server_slug_fits_in_an_address"
            ),
            models.CheckConstraint(
                condition=Q(engine__in=Engine.values), name="an_engine_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(SERVER_STATE_LABELS)), name="a_server_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(max_parallel__gt=0), name="a_server_takes_at_least_one_request"
            ),
            models.CheckConstraint(
                condition=Q(base_url__regex=r"^https?://[^\s@?#]+$"),
                name="a_server_address_carries_no_secret",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def institution(self) -> Institution:
        return self.site.institution


class UpstreamCredentialQuerySet(models.QuerySet["UpstreamCredential"]):
    def for_user(self, user: User | AnonymousUser) -> "UpstreamCredentialQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def current(self) -> "UpstreamCredentialQuerySet":
        return self.filter(valid_to__isnull=True)


class UpstreamCredential(Row):
    """A server's access token, sealed for its id; readable only by the router's process."""

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="credentials", verbose_name=_("server")
    )
    ciphertext = models.TextField()
    valid_from = models.DateTimeField(_("valid from"))
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)

    objects = UpstreamCredentialQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        constraints = (
            models.UniqueConstraint(
                fields=("server",),
                condition=Q(valid_to__isnull=True),
                name="one_current_credential_per_server",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__gte=models.F("valid_from")),
                name="a_credential_ends_after_it_begins",
            ),
            models.CheckConstraint(condition=~Q(ciphertext=""), name="a_credential_is_never_empty"),
        )

    def __str__(self) -> str:
        return str(self.pk)


class EgressGrantQuerySet(models.QuerySet["EgressGrant"]):
    def for_user(self, user: User | AnonymousUser) -> "EgressGrantQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def in_force(self) -> "EgressGrantQuerySet":
        return self.filter(revoked_at__isnull=True)


class EgressGrant(Row):
    """Leave for the router to reach one address and port beyond the public Internet, for one server."""

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="egress_grants", verbose_name=_("server")
    )
    address = models.GenericIPAddressField(_("address"))
    port = models.PositiveIntegerField(_("port"))
    granted_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("granted by"),
        help_text=_("empty when an operator's command did; the journal names it"),
    )
    reason = models.CharField(_("reason"), max_length=200)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = EgressGrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("network permission")
        verbose_name_plural = _("network permissions")
        constraints = (
            models.UniqueConstraint(
                fields=("server", "address", "port"),
                condition=Q(revoked_at__isnull=True),
                name="an_egress_grant_is_given_once",
            ),
            models.CheckConstraint(
                condition=Q(port__gte=1, port__lte=65535), name="an_egress_grant_names_a_port"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="an_egress_grant_says_why"),
        )

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def for_user(self, user: User | AnonymousUser) -> "DeploymentQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def live(self) -> "DeploymentQuerySet":
        return self.filter(state=DeploymentState.LIVE)


class Deployment(Row):
    """A model version that a server answers to under `served_name`. No `endpoints`: not declared."""

    server = models.ForeignKey(
        InferenceServer, models.PROTECT, related_name="deployments", verbose_name=_("server")
    )
    version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="deployments", verbose_name=_("model version")
    )
    served_name = models.CharField(_("name on the server"), max_length=200)
    endpoints = ArrayField(
        models.CharField(max_length=32), verbose_name=_("endpoints"), default=list, blank=True
    )
    state = models.CharField(
        _("state"), max_length=8, choices=DeploymentState, default=DeploymentState.LIVE
    )

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("deployment")
        verbose_name_plural = _("deployments")
        constraints = (
            models.UniqueConstraint(
                fields=("server", "served_name"),
                condition=Q(state=DeploymentState.LIVE),
                name="a_server_serves_a_name_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=DeploymentState.values), name="a_deployment_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(served_name=""), name="a_deployment_has_a_served_name"
            ),
        )

    def __str__(self) -> str:
        return self.served_name


class GuestRulesQuerySet(models.QuerySet["GuestRules"]):
    def for_user(self, user: User | AnonymousUser) -> "GuestRulesQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))


class GuestRules(Row):
    """What a server's institution allows the requests of others.

    `hours` is a list of `{days, start, end, most}` (`federation.fleet.calendar`); where several hold, the lowest does.
    """

    server = models.OneToOneField(
        InferenceServer, models.PROTECT, related_name="guest_rules", verbose_name=_("server")
    )
    lowest_class = models.PositiveSmallIntegerField(
        _("lowest class"), default=PriorityClass.P1.value
    )
    hours = models.JSONField(_("at most, by the hour"), default=list, blank=True)
    blocked_institutions = models.ManyToManyField(
        Institution, related_name="+", blank=True, verbose_name=_("institutions not served")
    )
    blocked_models = models.ManyToManyField(
        AIModel, related_name="+", blank=True, verbose_name=_("models not served to others")
    )

    objects = GuestRulesQuerySet.as_manager()

    class Meta:
        verbose_name = _("rules for guests")
        verbose_name_plural = _("rules for guests")
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    lowest_class__gte=PriorityClass.P1.value,
                    lowest_class__lte=PriorityClass.P5.value,
                ),
                name="guests_have_a_lowest_class_from_1_to_5",
            ),
        )

    def __str__(self) -> str:
        return str(self.server)
