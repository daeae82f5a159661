"""A run that is over, as the measures see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.simulation.requests import Request, Status
from bench.simulation.scenarios import Scenario
from bench.simulation.world import World

OUTPUT_WEIGHT = 4
"""Cost of a token written, in tokens read."""


def cost(request: Request) -> float:
    return request.prompt + OUTPUT_WEIGHT * request.output


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    world: World
    scenario: Scenario
    requests: Sequence[Request]
    """Those that arrived in the window that is measured."""

    @property
    def chats(self) -> Sequence[Request]:
        return [each for each in self.requests if each.is_streamed]

    @property
    def seconds(self) -> float:
        return self.scenario.before - self.scenario.since

    def waited(self, request: Request) -> float:
        """Return the seconds to the first token, or for which it was waited in vain."""
        patience_ends = request.arrived_at + request.patience
        until = request.left_at if request.status is Status.HUNG_UP else patience_ends
        end = request.first_token_at or min(self.world.timeline.now, until or patience_ends)
        return end - request.arrived_at

    def slowest(self, number: int) -> list[str]:
        """Describe the chats that waited longest for their first token: where and when they lost that time."""
        chats = [each for each in self.chats if each.status is not Status.REFUSED]
        chats.sort(key=self.waited, reverse=True)
        return [self._story(each) for each in chats[:number]]

    def _story(self, request: Request) -> str:
        server = request.server.name if request.server else "no server"
        sent = "never"
        if request.sent_at is not None:
            sent = f"{request.sent_at - request.arrived_at:.2f} s later"
        return (
            f"{self.waited(request):6.2f} s: P{request.priority} of {request.institution}, "
            f"came at {request.arrived_at:.2f}, sent {sent} to {server} (attempt {request.attempts}), "
            f"{request.prompt} tokens, {request.cached} cached, {request.status}"
        )
