"""One try of every operation, room by room; `test_acts` makes them all as everybody."""

from tests.integration.federation.acts import access, billing, catalogue, fleet, identity, members

ACTS = members.ACTS | identity.ACTS | catalogue.ACTS | fleet.ACTS | access.ACTS | billing.ACTS
