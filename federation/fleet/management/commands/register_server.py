"""`manage.py register_server`: an operator puts an inference server in service at once."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from federation.command import OperatorCommand
from federation.fleet.enums import Engine
from federation.fleet.models import InferenceServer
from federation.fleet.operations.publication import Offer, publish_server
from federation.journal.actors import CommandActor
from federation.members.queries import institution_with_slug
from routing.upstream.credentials import Secret

CREDENTIAL_VARIABLE = "UPSTREAM_CREDENTIAL"


class Command(OperatorCommand):
    help = (
        "Put an inference server and one of its models in service. An address that is not public is "
        "allowed for this server alone: exactly that address and port. Running it again changes only "
        "what differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="base address, with or without /v1")
        parser.add_argument(
            "--institution", required=True, metavar="SLUG", help="whose server it is"
        )
        parser.add_argument("--engine", required=True, choices=Engine.values)
        parser.add_argument("--model", required=True, help="the name that clients use")
        parser.add_argument("--served-name", required=True, help="its name on the server itself")
        parser.add_argument(
            "--credential",
            help=f"the server's access token; - reads it from standard input, and the variable "
            f"{CREDENTIAL_VARIABLE} serves as well, so that no list of processes shows it",
        )
        parser.add_argument(
            "--max-parallel",
            type=int,
            metavar="N",
            help="most requests at once (default: no ceiling)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        offer = Offer(
            institution=institution_with_slug(options["institution"]),
            url=options["url"],
            engine=Engine(options["engine"]),
            model_name=options["model"],
            served_name=options["served_name"],
            credential=read_credential(options["credential"]),
            max_parallel=options["max_parallel"],
        )
        publication = publish_server(by=CommandActor("register_server"), offer=offer)
        for grant in publication.granted:
            self.stdout.write(
                f"Network permission: {grant.address} port {grant.port}, for this server alone"
            )
        server = InferenceServer.objects.get(pk=publication.deployment.server_id)
        for other in InferenceServer.objects.present().same_address_as(server):
            self.stdout.write(
                f"Note: {other.slug} stands for the same address, with limits of its own"
            )
        self.stdout.write(
            f"{server.slug} ({server.state}) serves {offer.model_name}: {server.base_url}"
        )


def read_credential(argument: str | None) -> Secret | None:
    """Return the token given by the option, by standard input (`-`) or by the environment."""
    text = sys.stdin.readline() if argument == "-" else argument
    text = (text if text is not None else os.environ.get(CREDENTIAL_VARIABLE, "")).strip()
    if argument is not None and not text:
        raise CommandError("The credential is empty; leave --credential out when there is none")
    return Secret(text) if text else None
