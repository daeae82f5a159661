"""Writes about teams, and the service accounts of an institution."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from federation.journal.actors import Actor
from federation.journal.operations import record
from federation.members import policies
from federation.members.models import Institution, Team, TeamPlace
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import open_service_account
from federation.people.policies import holds


@transaction.atomic
def create_team(*, by: Actor, institution: Institution, name: str) -> Team:
    """Make a team; a project owner leads the team that they make."""
    policies.check_create_team(by, institution)
    team = Team(institution=institution, name=" ".join(name.split()))
    team.full_clean()
    team.save()
    if isinstance(by, User) and holds(by, institution.pk, Role.PROJECT_OWNER):
        TeamPlace.objects.create(team=team, user=by, is_lead=True)
    record(by=by, verb="members.create_team", obj=team, institution=institution)
    return team


@transaction.atomic
def add_to_team(*, by: Actor, team: Team, email: str, is_lead: bool = False) -> TeamPlace:
    """Give somebody of the institution a place, or another one. Raises `ValidationError` for who has no role there."""
    policies.check_manage_team(by, team)
    user: User | None = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if user is None or team.institution_id not in user.institution_ids():
        raise ValidationError(
            {"email": _("Nobody with this address has a role at the institution: invite them.")}
        )
    if is_lead and not holds(user, team.institution_id, Role.PROJECT_OWNER, Role.MEMBER_DSI):
        raise ValidationError(
            {"is_lead": _("Only a project owner leads a team: give them this role first.")}
        )
    place, _is_new = TeamPlace.objects.update_or_create(
        team=team, user=user, defaults={"is_lead": is_lead}
    )
    record(
        by=by,
        verb="members.add_to_team",
        obj=team,
        institution=team.institution,
        diff={"place": place.pk, "is_lead": is_lead},
    )
    return place


@transaction.atomic
def remove_from_team(*, by: Actor, place: TeamPlace) -> None:
    """Take somebody out of a team; their role at the institution stays."""
    team = place.team
    policies.check_manage_team(by, team)
    pk = place.pk
    place.delete()
    record(
        by=by,
        verb="members.remove_from_team",
        obj=team,
        institution=team.institution,
        diff={"place": pk},
    )


@transaction.atomic
def close_team(*, by: Actor, team: Team) -> Team:
    """Close a team for good; its people keep their roles, and its name is free again."""
    locked = Team.objects.select_for_update().get(pk=team.pk)
    policies.check_manage_team(by, locked)
    locked.closed_at = timezone.now()
    locked.save(update_fields=["closed_at"])
    record(by=by, verb="members.close_team", obj=locked, institution=locked.institution)
    return locked


@transaction.atomic
def create_service_account(
    *, by: Actor, institution: Institution, name: str, team: Team | None = None
) -> User:
    """Open an account for a program, of the institution or of one of its teams: it owns applications, and nobody
    signs in with it."""
    policies.check_open_service_account(by, institution, team)
    account = open_service_account(name=name, institution_id=institution.pk)
    if team is not None:
        TeamPlace.objects.create(team=team, user=account)
    record(
        by=by,
        verb="members.create_service_account",
        obj=account,
        institution=institution,
        diff={"team": team.pk if team else None},
    )
    return account
