"""Documents: published texts in versions, agreements, and the files that carry signatures.

A published text and a stored file never change: a trigger refuses it.
"""

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.members.enums import AgreementState, TextKind
from federation.members.models.candidacies import Candidacy
from federation.members.models.institutions import Membership
from federation.people.enums import Language, Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything

MOST_BYTES = 10 * 1024 * 1024
"""Of one stored file: a scan of a few pages at 300 dpi."""
LONGEST_TEXT = 60_000


class TextVersionQuerySet(models.QuerySet["TextVersion"]):
    def for_user(self, user: User | AnonymousUser) -> "TextVersionQuerySet":
        """Everybody: who is asked to agree may read what was agreed before."""
        return self


class TextVersion(Row):
    """A version of the agreement's template or of the charter, in both languages."""

    kind = models.CharField(_("kind"), max_length=10, choices=TextKind)
    number = models.PositiveIntegerField(_("version"))
    text_fr = models.TextField(_("French text"), max_length=LONGEST_TEXT)
    text_en = models.TextField(_("English text"), max_length=LONGEST_TEXT)
    published_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("published by"),
    )

    objects = TextVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("published text")
        verbose_name_plural = _("published texts")
        ordering = ("kind", "-number")
        constraints = (
            models.UniqueConstraint(fields=("kind", "number"), name="a_version_has_one_text"),
            models.CheckConstraint(
                condition=Q(kind__in=TextKind.values, number__gte=1),
                name="a_published_text_has_a_kind_and_a_number",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"

    def in_language(self, language: str) -> str:
        return self.text_en if language == Language.ENGLISH else self.text_fr

    @property
    def text(self) -> str:
        """The text in the language of the page."""
        return self.in_language((get_language() or Language.FRENCH)[:2])


class StoredFileQuerySet(models.QuerySet["StoredFile"]):
    def for_user(self, user: User | AnonymousUser) -> "StoredFileQuerySet":
        """Those of the agreements that one may read."""
        mine = Agreement.objects.for_user(user).values("pk")
        return self.filter(
            Q(as_drawn_up__in=mine) | Q(as_signed__in=mine) | Q(as_countersigned__in=mine)
        ).distinct()


class StoredFile(Row):
    """A PDF file, whole, with its digest."""

    name = models.CharField(_("file name"), max_length=100)
    size = models.PositiveIntegerField(_("size"))
    sha256 = models.CharField("SHA-256", max_length=64)
    content = models.BinaryField(max_length=MOST_BYTES)
    stored_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("stored by")
    )

    objects = StoredFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints = (
            models.CheckConstraint(
                condition=Q(size__gt=0, size__lte=MOST_BYTES), name="a_file_has_a_bounded_size"
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="a_file_has_a_digest"
            ),
        )

    def __str__(self) -> str:
        return self.name


class AgreementQuerySet(models.QuerySet["Agreement"]):
    def for_user(self, user: User | AnonymousUser) -> "AgreementQuerySet":
        """Who signs it and who countersigns it: the candidacy's writers, the IT department, the federation."""
        if sees_everything(user):
            return self
        written = Candidacy.objects.for_editor(user).values("membership_id")
        ruled = institution_ids_for(user, Role.MEMBER_DSI)
        return self.filter(Q(membership__in=written) | Q(membership__institution_id__in=ruled))

    def live(self) -> "AgreementQuerySet":
        return self.exclude(state=AgreementState.VOID)


class Agreement(Row):
    """The consortium agreement with one member, from the PDF drawn up to the countersigned one."""

    membership = models.ForeignKey(
        Membership, models.PROTECT, related_name="agreements", verbose_name=_("membership")
    )
    number = models.PositiveIntegerField(_("number"))
    text = models.ForeignKey(TextVersion, models.PROTECT, related_name="+", verbose_name=_("text"))
    language = models.CharField(_("language"), max_length=2, choices=Language)
    state = models.CharField(
        _("state"), max_length=14, choices=AgreementState, default=AgreementState.DRAWN_UP
    )
    drawn_up = models.ForeignKey(StoredFile, models.PROTECT, related_name="as_drawn_up")
    signed = models.ForeignKey(
        StoredFile, models.PROTECT, related_name="as_signed", null=True, blank=True
    )
    countersigned = models.ForeignKey(
        StoredFile, models.PROTECT, related_name="as_countersigned", null=True, blank=True
    )
    signatory = models.CharField(_("signed by"), max_length=150, blank=True)
    signatory_function = models.CharField(_("as"), max_length=100, blank=True)
    signed_at = models.DateTimeField(_("signed on"), null=True, blank=True)
    countersigned_at = models.DateTimeField(_("countersigned on"), null=True, blank=True)
    remark = models.TextField(_("why it came back"), max_length=1000, blank=True)

    objects = AgreementQuerySet.as_manager()

    class Meta:
        verbose_name = _("agreement")
        verbose_name_plural = _("agreements")
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(
                fields=("membership", "number"), name="agreements_of_a_member_are_numbered"
            ),
            models.UniqueConstraint(
                fields=("membership",),
                condition=~Q(state=AgreementState.VOID),
                name="one_live_agreement_per_membership",
            ),
            models.CheckConstraint(
                condition=Q(state=AgreementState.VOID)
                | Q(state=AgreementState.DRAWN_UP, signed=None, countersigned=None)
                | Q(state=AgreementState.SIGNED, signed__isnull=False, countersigned=None)
                | Q(
                    state=AgreementState.COUNTERSIGNED,
                    signed__isnull=False,
                    countersigned__isnull=False,
                ),
                name="an_agreement_has_the_files_of_its_state",
            ),
        )

    def __str__(self) -> str:
        return f"{self.membership.institution} {self.number}"


class CharterAcceptanceQuerySet(models.QuerySet["CharterAcceptance"]):
    def for_user(self, user: User | AnonymousUser) -> "CharterAcceptanceQuerySet":
        return self.filter(user__in=User.objects.for_user(user))


class CharterAcceptance(Row):
    """Somebody has accepted a version of the charter, at the time of the row."""

    user = models.ForeignKey(
        User, models.PROTECT, related_name="charter_acceptances", verbose_name=_("account")
    )
    text = models.ForeignKey(
        TextVersion, models.PROTECT, related_name="acceptances", verbose_name=_("text")
    )

    objects = CharterAcceptanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("acceptance of the charter")
        verbose_name_plural = _("acceptances of the charter")
        constraints = (
            models.UniqueConstraint(fields=("user", "text"), name="a_charter_is_accepted_once"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.text}"
