"""The certificates that the router shows to servers which ask who it is."""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.fleet.models.servers import InferenceServer
from federation.people.models import User


class ClientCertificateQuerySet(models.QuerySet["ClientCertificate"]):
    def for_user(self, user: User | AnonymousUser) -> "ClientCertificateQuerySet":
        return self.filter(server__in=InferenceServer.objects.for_user(user))

    def current(self) -> "ClientCertificateQuerySet":
        return self.filter(valid_to__isnull=True)


class ClientCertificate(Row):
    """A certificate with its chain, in PEM, and its key, sealed for the server's id like an access token.

    `valid_from` and `valid_to` say when it was in use here, `expires_at` how long it could be.
    """

    server = models.ForeignKey(
        InferenceServer,
        models.PROTECT,
        related_name="client_certificates",
        verbose_name=_("server"),
    )
    chain = models.TextField(_("certificate"))
    ciphertext = models.TextField()
    expires_at = models.DateTimeField(_("expires"))
    valid_from = models.DateTimeField(_("valid from"))
    valid_to = models.DateTimeField(_("valid to"), null=True, blank=True)
    warned_at = models.DateTimeField(_("warned"), null=True, blank=True)

    objects = ClientCertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("client certificate")
        verbose_name_plural = _("client certificates")
        constraints = (
            models.UniqueConstraint(
                fields=("server",),
                condition=Q(valid_to__isnull=True),
                name="one_current_client_certificate_per_server",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")),
                name="a_client_certificate_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=~Q(ciphertext="") & ~Q(chain=""),
                name="a_client_certificate_has_its_key",
            ),
        )

    def __str__(self) -> str:
        return str(self.pk)
