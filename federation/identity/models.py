"""How institutions' people sign in: federations' signed metadata, and the services that vouch for people.

allauth does the protocols; its accounts at a service (`SocialAccount`) name the service by `service_id`.
"""

from typing import ClassVar

from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.identity.enums import Protocol
from federation.identity.metadata import MOST_ID, MOST_SCOPE, MOST_TEXT
from federation.members.models import SLUG, Institution
from federation.people.models import User
from federation.people.scope import sees_everything

LONGEST_ID, LONGEST_URL = MOST_ID, MOST_TEXT
FILE = "file:"
"""Begins the address of metadata that an operator puts on the machine."""


class MetadataSourceQuerySet(models.QuerySet["MetadataSource"]):
    def for_user(self, user: User | AnonymousUser) -> "MetadataSourceQuerySet":
        """Whom the federation believes is decided, and read, by those who answer for it."""
        return self if sees_everything(user) else self.none()


class MetadataSource(Row):
    """An identity federation (RENATER, eduGAIN): where its metadata lies and the certificate that signs it.

    `failure` is why the last reading was refused; what was read before goes on until `valid_until`.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField(
        _("address"),
        max_length=LONGEST_URL,
        validators=[RegexValidator(r"^(https://|file:/)[^\s@?#]+$")],
    )
    certificate = models.TextField(_("certificate of its signature"))
    refreshed_at = models.DateTimeField(_("read"), null=True, blank=True)
    valid_until = models.DateTimeField(_("holds until"), null=True, blank=True)
    found = models.PositiveIntegerField(_("services"), default=0)
    skipped = models.JSONField(_("services that cannot be used"), default=dict, blank=True)
    failure = models.CharField(_("why it was refused"), max_length=100, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = MetadataSourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("identity federation")
        verbose_name_plural = _("identity federations")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class SignInServiceQuerySet(models.QuerySet["SignInService"]):
    def for_user(self, user: User | AnonymousUser) -> "SignInServiceQuerySet":
        """Where one signs in is everybody's to read."""
        return self

    def usable(self) -> "SignInServiceQuerySet":
        """Those that are there, of metadata that still hold."""
        return self.filter(gone_at__isnull=True).exclude(source__valid_until__lte=Now())

    def shown(self) -> "SignInServiceQuerySet":
        return self.usable().filter(is_hidden=False)


class SignInService(Row):
    """What vouches for people: a SAML provider of a federation, or an OpenID provider that is set up here.

    `service_id` is its entity id, or issuer. `scopes` are the domains for whose addresses and people it may speak.
    Of SAML `certificates`, of OpenID `client_id` and the secret, sealed for this row's id.
    """

    protocol = models.CharField(_("protocol"), max_length=10, choices=Protocol)
    service_id = models.CharField(_("identifier"), max_length=LONGEST_ID, unique=True)
    slug = models.CharField(
        _("short identifier"), max_length=40, blank=True, validators=[RegexValidator(SLUG)]
    )
    names = models.JSONField(_("names by language"), default=dict)
    url = models.CharField(_("address"), max_length=LONGEST_URL)
    scopes = ArrayField(
        models.CharField(max_length=MOST_SCOPE), verbose_name=_("domains"), default=list, blank=True
    )
    certificates = ArrayField(models.TextField(), default=list, blank=True)
    client_id = models.CharField(_("client identifier"), max_length=191, blank=True)
    sealed_secret = models.TextField(blank=True)
    is_hidden = models.BooleanField(_("not offered"), default=False)
    source = models.ForeignKey(
        MetadataSource,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="services",
        verbose_name=_("identity federation"),
    )
    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="sign_in_services",
        verbose_name=_("institution"),
    )
    takes_students = models.BooleanField(_("students get a role, too"), default=False)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    objects = SignInServiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("sign-in service")
        verbose_name_plural = _("sign-in services")
        ordering = ("service_id",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(protocol__in=Protocol.values), name="a_sign_in_protocol_is_known"
            ),
            models.CheckConstraint(
                condition=Q(protocol=Protocol.SAML, source__isnull=False)
                | (~Q(protocol=Protocol.SAML) & ~Q(client_id="") & ~Q(slug="")),
                name="a_sign_in_service_can_be_asked",
            ),
            models.UniqueConstraint(
                fields=("slug",), condition=~Q(slug=""), name="a_sign_in_slug_is_one_service_s"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["source"], name="services_by_source"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What it is called in the reader's language, else in any."""
        language = (get_language() or "fr")[:2]
        for each in (language, "fr", "en"):
            if text := self.names.get(each):
                return str(text)
        return str(next(iter(self.names.values()), self.service_id))
