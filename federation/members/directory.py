"""The places whose people somebody manages, and what they may do at each: federation, institution, teams."""

from collections.abc import Iterable
from typing import NamedTuple

from federation.members.models import Institution, Invitation, Team, TeamPlace
from federation.members.policies import can_create_team
from federation.people.enums import FEDERATION_ROLES, INSTITUTION_ROLES, Role
from federation.people.models import RoleGrant, User
from federation.people.policies import holds, is_federation_admin

IN_ORDER = tuple(Role)


class Place(NamedTuple):
    """One place as one reader manages it; `institution` None is the federation."""

    reader: User
    institution: Institution | None

    @property
    def key(self) -> str:
        """What `?at=` says of it."""
        return self.institution.slug if self.institution else ""

    @property
    def rules_all(self) -> bool:
        """Whether the reader decides about everybody here, rather than about a team."""
        if is_federation_admin(self.reader):
            return True
        return self.institution is not None and holds(
            self.reader, self.institution.pk, Role.MEMBER_DSI
        )

    @property
    def needs_team(self) -> bool:
        return self.institution is not None and not self.rules_all

    def people(self) -> list[tuple[User, list[RoleGrant]]]:
        """Return who has a role here, programs last, each with their roles here."""
        institution_id = self.institution.pk if self.institution else None
        grants = RoleGrant.objects.for_user(self.reader).filter(
            institution_id=institution_id, user__is_active=True
        )
        by_person: dict[User, list[RoleGrant]] = {}
        for grant in grants.select_related("user").order_by("user__kind", "user__name", "role"):
            by_person.setdefault(grant.user, []).append(grant)
        return list(by_person.items())

    def invitations(self) -> Iterable[Invitation]:
        sent = Invitation.objects.for_user(self.reader).pending()
        return sent.filter(institution=self.institution).select_related("invited_by", "team")

    def teams(self) -> Iterable[Team]:
        if self.institution is None:
            return ()
        return Team.objects.for_user(self.reader).open().filter(institution=self.institution)

    def teams_to_fill(self) -> list[Team]:
        """Return the teams into which the reader may bring somebody."""
        if self.institution is None:
            return []
        if self.rules_all:
            return list(self.teams())
        return list(Team.objects.led_by(self.reader).open().filter(institution=self.institution))

    def roles_to_give(self) -> list[Role]:
        if not self.rules_all:
            return []
        held = INSTITUTION_ROLES if self.institution else FEDERATION_ROLES
        return [role for role in IN_ORDER if role in held]

    def roles_to_offer(self) -> list[Role]:
        """Return the roles that the reader may offer to somebody who is not here yet."""
        if self.rules_all:
            return self.roles_to_give()
        return [Role.USER] if self.teams_to_fill() else []

    @property
    def may_create_teams(self) -> bool:
        return self.institution is not None and can_create_team(self.reader, self.institution)

    @property
    def may_open_service_accounts(self) -> bool:
        return self.institution is not None and (self.rules_all or bool(self.teams_to_fill()))


def places_of(reader: User) -> list[Place]:
    """Return the places whose people the reader manages, or oversees as an auditor."""
    if reader.sees_everything:
        institutions = Institution.objects.for_user(reader).order_by("short_name")
        return [Place(reader, None), *(Place(reader, one) for one in institutions)]
    ruled = reader.institution_ids(Role.MEMBER_DSI, Role.PROJECT_OWNER)
    institutions = Institution.objects.for_user(reader).filter(pk__in=ruled).order_by("name")
    return [Place(reader, one) for one in institutions]


def place_for(reader: User, key: str | None) -> Place | None:
    """Return the place that `key` names, the first one for None; None for a place that is not the reader's."""
    places = places_of(reader)
    if key is None:
        return places[0] if places else None
    return next((place for place in places if place.key == key), None)


def members_of(team: Team) -> Iterable[TeamPlace]:
    return team.places.select_related("user").filter(user__is_active=True)
