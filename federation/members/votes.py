"""The count of a ballot, and what it decides. Pure."""

from typing import NamedTuple

from federation.members.enums import Outcome


class Count(NamedTuple):
    """The votes of a ballot. `members` is how many may vote."""

    yes: int
    no: int
    abstain: int
    members: int

    @property
    def voted(self) -> int:
        return self.yes + self.no + self.abstain

    @property
    def is_complete(self) -> bool:
        return self.voted >= self.members

    @property
    def outcome(self) -> Outcome:
        """At least half of the committee has to vote; then more yes than no accepts."""
        if self.voted == 0 or 2 * self.voted < self.members:
            return Outcome.NO_QUORUM
        return Outcome.ACCEPTED if self.yes > self.no else Outcome.DECLINED
