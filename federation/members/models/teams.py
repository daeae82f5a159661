"""Teams of an institution, and invitations to take a role there."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from federation.base import Row
from federation.members.enums import InvitationState
from federation.members.models.institutions import Institution
from federation.people.enums import FEDERATION_ROLES, INSTITUTION_ROLES, Role
from federation.people.models import User
from federation.people.scope import institution_ids_for, sees_everything
from routing.core.keys import digest


class TeamQuerySet(models.QuerySet["Team"]):
    def for_user(self, user: User | AnonymousUser) -> "TeamQuerySet":
        """One's own teams; for an IT department those of its institution."""
        if sees_everything(user):
            return self
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        ruled = institution_ids_for(user, Role.MEMBER_DSI)
        mine = TeamPlace.objects.filter(user=user, team__institution_id__in=user.institution_ids())
        return self.filter(Q(institution_id__in=ruled) | Q(pk__in=mine.values("team_id")))

    def led_by(self, user: User) -> "TeamQuerySet":
        """Teams that `user` leads, as long as the institution still gives that person the role for it."""
        led = TeamPlace.objects.filter(user=user, is_lead=True)
        at = institution_ids_for(user, Role.PROJECT_OWNER, Role.MEMBER_DSI)
        return self.filter(pk__in=led.values("team_id"), institution_id__in=at)

    def open(self) -> "TeamQuerySet":
        return self.filter(closed_at__isnull=True)


class Team(Row):
    """People and service accounts of one institution who work together."""

    institution = models.ForeignKey(
        Institution, models.PROTECT, related_name="teams", verbose_name=_("institution")
    )
    name = models.CharField(_("name"), max_length=100)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                "institution",
                Lower("name"),
                condition=Q(closed_at=None),
                name="a_team_name_is_unique_in_its_institution",
            ),
        )

    def __str__(self) -> str:
        return self.name


class TeamPlaceQuerySet(models.QuerySet["TeamPlace"]):
    def for_user(self, user: User | AnonymousUser) -> "TeamPlaceQuerySet":
        return self.filter(team__in=Team.objects.for_user(user))


class TeamPlace(Row):
    """Somebody's place in a team; who leads it brings people in and takes them out."""

    team = models.ForeignKey(Team, models.PROTECT, related_name="places", verbose_name=_("team"))
    user = models.ForeignKey(
        User, models.PROTECT, related_name="team_places", verbose_name=_("account")
    )
    is_lead = models.BooleanField(_("leads"), default=False)

    objects = TeamPlaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("place in a team")
        verbose_name_plural = _("places in teams")
        ordering = ("-is_lead", "user__name")
        constraints = (
            models.UniqueConstraint(fields=("team", "user"), name="one_place_per_person_and_team"),
        )

    def __str__(self) -> str:
        return f"{self.user} ({self.team})"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def for_user(self, user: User | AnonymousUser) -> "InvitationQuerySet":
        """Those that one sent; for an IT department those to its institution."""
        if sees_everything(user):
            return self
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        ruled = institution_ids_for(user, Role.MEMBER_DSI)
        led = Team.objects.led_by(user)
        return self.filter(Q(institution_id__in=ruled) | Q(invited_by=user, team__in=led))

    def pending(self) -> "InvitationQuerySet":
        return self.filter(state=InvitationState.PENDING)

    def with_token(self, token: str) -> "InvitationQuerySet":
        return self.filter(digest=Invitation.digest_of(token))


class Invitation(Row):
    """A role offered to an address, at an institution or (None) in the federation. Only its token's digest is kept."""

    institution = models.ForeignKey(
        Institution,
        models.PROTECT,
        related_name="invitations",
        null=True,
        blank=True,
        verbose_name=_("institution"),
    )
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        related_name="invitations",
        null=True,
        blank=True,
        verbose_name=_("team"),
    )
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=16, choices=Role)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        User, models.PROTECT, related_name="invitations", verbose_name=_("invited by")
    )
    sent_at = models.DateTimeField(_("sent"))
    expires_at = models.DateTimeField(_("expires"))
    state = models.CharField(
        _("state"), max_length=10, choices=InvitationState, default=InvitationState.PENDING
    )
    accepted_by = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("accepted by"),
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-sent_at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(role__in=sorted(FEDERATION_ROLES), institution=None)
                | Q(role__in=sorted(INSTITUTION_ROLES), institution__isnull=False),
                name="an_invitation_to_a_member_role_names_an_institution",
            ),
            models.UniqueConstraint(
                "institution",
                Lower("email"),
                "role",
                condition=Q(state=InvitationState.PENDING),
                nulls_distinct=False,
                name="one_pending_invitation_per_address_and_role",
            ),
            models.CheckConstraint(
                condition=Q(state=InvitationState.ACCEPTED, accepted_by__isnull=False)
                | Q(
                    state__in=[InvitationState.PENDING, InvitationState.WITHDRAWN],
                    accepted_by=None,
                ),
                name="an_accepted_invitation_names_who_accepted",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("sent_at")),
                name="an_invitation_expires_after_it_is_sent",
            ),
        )

    def __str__(self) -> str:
        return f"{self.email}: {self.get_role_display()}"

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @staticmethod
    def digest_of(token: str) -> str:
        return digest(settings.PEPPER.encode(), token)
