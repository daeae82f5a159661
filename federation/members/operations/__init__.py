"""Writes about members, a module per noun; those about institutions and memberships are named here as well."""

from federation.members.operations.memberships import (
    add_institution,
    change_membership_state,
    propose_membership,
)

__all__ = ["add_institution", "change_membership_state", "propose_membership"]
