"""`manage.py demo`: the demonstration federation, for `make run`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import CommandError
from django.db import transaction
from django.utils import timezone

from config.demo import files
from config.demo.accounts import keep_accounts
from config.demo.budgets import set_budgets
from config.demo.building import BY, Register, build_register, move_from_taken_ports
from config.demo.catalogue import MODELS
from config.demo.fleet import DemoServer
from config.demo.history import fill, make_room
from config.demo.life import begin_lives
from config.demo.prices import set_prices
from federation.catalogue.enums import Capability
from federation.command import OperatorCommand
from federation.fleet.models import InferenceServer
from federation.fleet.operations.credentials import current_credential
from federation.journal.models import AuditEvent
from federation.members.models import Institution
from federation.people.models import User
from routing.simulator.config import Config, ServerConfig
from routing.upstream.egress import parse_base_url

CONTEXTS = {plan.slug: plan.context_length for plan in MODELS}
FACTS = {plan.slug: plan.facts for plan in MODELS}
CACHED_CONTEXTS = 8
"""Full contexts that fit into a simulated server's cache at once."""
HEARD_AT_MOST = 32_768
"""The simulator reckons a recording as if each second were a token of a prompt."""


class Command(OperatorCommand):
    help = (
        "Build the demonstration federation with 60 days of usage and a year that is settled, or complete the one "
        "that is there; "
        "write demo.json (accounts, keys, addresses) and simulator.json into the data folder. "
        "Refused on a database that is not a demonstration's."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--move",
            action="store_true",
            help="first give another port to each simulated server whose port is taken; "
            "only while the simulator does not run",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check_is_demonstration()
        var, now = Path(settings.VAR), timezone.now()
        make_room(now)
        with transaction.atomic():
            if options["move"]:
                move_from_taken_ports()
            register = build_register(files.remember(var))
            set_prices(now)
            stored = fill(register, now)
            begin_lives(register)
            set_budgets()
            keep_accounts()
        files.write(var, files.SIMULATOR, simulator(register))
        files.write(var, files.DEMO, summary(register))
        self.stdout.write(
            f"The demonstration is ready: {len(register.servers)} servers, {len(MODELS)} models, "
            f"{stored} requests added; accounts and keys are in {var / files.DEMO}"
        )


def check_is_demonstration() -> None:
    """Raise `CommandError` when somebody else's federation is in the database."""
    if AuditEvent.objects.filter(actor_command=BY.command).exists():
        return
    if Institution.objects.exists() or User.objects.exists():
        raise CommandError(
            "This database holds a federation that is no demonstration: "
            "choose another data folder (VAR=) or database (DATABASE_URL=)"
        )


def _can(capability: Capability, plan: DemoServer) -> bool:
    return any(capability in FACTS[model]["capabilities"] for model in plan.serves)


def simulator(register: Register) -> dict[str, Any]:
    """Return the configuration of the simulated servers, at the addresses that the register has."""
    servers = enumerate(register.servers, start=1)
    config = Config(servers=tuple(_simulated(number, *pair) for number, pair in servers))
    content: dict[str, Any] = msgspec.to_builtins(config)
    return content


def _simulated(number: int, plan: DemoServer, row: InferenceServer) -> ServerConfig:
    target, token = parse_base_url(row.base_url), current_credential(row)
    hears = _can(Capability.TRANSCRIPTION, plan)
    context = HEARD_AT_MOST if hears else min(CONTEXTS[model] for model in plan.serves)
    return ServerConfig(
        name=plan.slug,
        engine=plan.simulated,
        model=next(iter(plan.serves.values())),
        host=target.host,
        port=target.port,
        kind="speech" if hears else "chat",
        multimodal=_can(Capability.VISION, plan),
        api_key=token.reveal() if token else None,
        max_model_len=context,
        max_num_seqs=plan.speed.max_num_seqs,
        kv_tokens=CACHED_CONTEXTS * context,
        prefill_tokens_per_s=plan.speed.prefill_tokens_per_s,
        seconds_per_token=plan.speed.seconds_per_token,
        seed=number,
    )


def summary(register: Register) -> dict[str, Any]:
    """Return what `demo.json` holds: of models those that answer in a conversation, of a server the first it serves."""
    return {
        "portal": settings.PUBLIC_URL,
        "api": f"{settings.PUBLIC_URL}/v1",
        "accounts": {name: account._asdict() for name, account in register.accounts.items()},
        "keys": register.keys,
        "models": [plan.slug for plan in MODELS if Capability.CHAT in plan.facts["capabilities"]],
        "servers": [
            {
                "name": plan.slug,
                "institution": plan.institution,
                "engine": row.engine,
                "url": row.base_url,
                "model": next(iter(plan.serves)),
            }
            for plan, row in register.servers
        ],
    }
