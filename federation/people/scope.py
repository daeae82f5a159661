"""What a reader may see: the two questions behind every `for_user`. A visitor and a closed account see nothing."""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from federation.people.models import User


def sees_everything(user: User | AnonymousUser) -> bool:
    """Whether `user` reads every institution's rows (federation administrators and auditors)."""
    return isinstance(user, User) and user.sees_everything


def institution_ids_for(user: User | AnonymousUser, *roles: str) -> frozenset[UUID]:
    """Return the institutions at which `user` holds one of `roles`; with none named, any role."""
    return user.institution_ids(*roles) if isinstance(user, User) else frozenset()
