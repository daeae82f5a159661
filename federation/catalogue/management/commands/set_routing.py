"""`manage.py set_routing`: how requests for a model are shared out, shown or changed, in force within a second."""

from argparse import ArgumentParser
from typing import Any, cast

from django.core.management.base import CommandError

from federation.catalogue.models import AIModel, RoutingPolicy
from federation.catalogue.operations.routing import Routing, set_routing
from federation.command import OperatorCommand
from federation.journal.actors import CommandActor
from routing.core.enums import RoutingSetting

ROUTERS_OWN = "router"
"""Says that no longest wait is set: the router's own holds."""


class Command(OperatorCommand):
    help = (
        "Show how requests for a model are shared out, or change it: what is not named stays. Without an "
        "option it shows every version, the newest first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="the model's public name")
        parser.add_argument(
            "--setting",
            choices=[setting.value for setting in RoutingSetting],
            help="how a server is chosen, and when requests wait",
        )
        for level in (4, 3, 2, 1):
            parser.add_argument(
                f"--share-p{level}",
                type=int,
                metavar="PERCENT",
                help=f"the least that class P{level} gets while it waits",
            )
        parser.add_argument(
            "--longest-wait",
            metavar="SECONDS",
            help=f"after which a request is refused; {ROUTERS_OWN} for the router's own limit",
        )
        parser.add_argument(
            "--forward-priority", choices=["yes", "no"], help="whether vLLM is told the class"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        model = AIModel.objects.filter(slug__iexact=options["model"]).first()
        if model is None:
            raise CommandError(f"There is no model named {options['model']}")
        if given := changes(options):
            made = set_routing(by=CommandActor("set_routing"), model=model, settings=given)
            self.stdout.write(line(made))
            return
        current = RoutingPolicy.objects.current_of(model)
        for policy in model.routing_policies.order_by("-number") or [current]:
            self.stdout.write(line(policy))


def changes(options: dict[str, Any]) -> Routing:
    """Return the settings that were named."""
    given: dict[str, Any] = {
        name: options[name] for name in Routing.__annotations__ if options[name] is not None
    }
    if "longest_wait" in given:
        given["longest_wait"] = read_wait(given["longest_wait"])
    if "forward_priority" in given:
        given["forward_priority"] = given["forward_priority"] == "yes"
    return cast(Routing, given)


def read_wait(text: str) -> int | None:
    if text == ROUTERS_OWN:
        return None
    if not text.isdecimal():
        raise CommandError(f"--longest-wait takes a number of seconds, or {ROUTERS_OWN}")
    return int(text)


def line(policy: RoutingPolicy) -> str:
    """Return a version on one line."""
    shares = " ".join(f"P{level.value} {share}%" for level, share in policy.shares.items())
    wait = f"{policy.longest_wait} s" if policy.longest_wait else "the router's"
    told = "yes" if policy.forward_priority else "no"
    mark = " (in force)" if policy.current or not policy.number else ""
    return (
        f"{policy.model.slug} version {policy.number}{mark}: {policy.setting}; at least {shares}; "
        f"longest wait {wait}; class told to vLLM: {told}"
    )
