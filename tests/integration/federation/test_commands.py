"""The operator's commands: what they print, and the one line in which they refuse."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils.translation import override
from pytest_django import Settings

from federation.access.keys import is_well_formed
from federation.access.models import ApiKey, Application
from federation.fleet.models import InferenceServer
from federation.fleet.operations.credentials import current_credential
from federation.journal.models import AuditEvent
from federation.members.enums import MembershipState
from federation.members.models import Institution, Membership
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import claim_first_admin
from routing.core.enums import PriorityClass, ServerState
from routing.core.keys import digest
from tests.integration.federation.world import World
from tests.support.factories import PASSWORD, Cast, serve_model

ROOT = Path(__file__).resolve().parents[3]
SERVER = ("http://127.0.0.1:8100", "--institution", "rennes", "--engine", "vllm")
MODEL = ("--model", "mistral-small", "--served-name", "mistralai/Mistral-Small")


def run(*arguments: str) -> str:
    """Return what a command prints; what it says beside it goes to the test's own output."""
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def refused(*arguments: str) -> str:
    """Return the refusal, which is one line in English without a trace in the journal."""
    before = AuditEvent.objects.count()
    with override("fr"), pytest.raises(CommandError) as refusal:
        run(*arguments)
    text = str(refusal.value)
    assert text
    assert len(text.splitlines()) == 1
    assert AuditEvent.objects.count() == before
    return text


def test_register_server_puts_it_in_service_and_says_what_it_allowed(cast: Cast) -> None:
    lines = run("register_server", *SERVER, *MODEL, "--max-parallel", "16").splitlines()

    server = InferenceServer.objects.get()
    assert lines == [
        "Network permission: 127.0.0.1 port 8100, for this server alone",
        "rennes-vllm-1 (live) serves mistral-small: http://127.0.0.1:8100",
    ]
    assert (server.state, server.max_parallel) == (ServerState.LIVE, 16)
    assert AuditEvent.objects.filter(
        verb="fleet.grant_egress", actor_command="register_server"
    ).exists()


def test_register_server_again_changes_nothing_and_allows_nothing_new(cast: Cast) -> None:
    run("register_server", *SERVER, *MODEL)
    before = AuditEvent.objects.count()

    lines = run("register_server", *SERVER, *MODEL).splitlines()

    assert lines == ["rennes-vllm-1 (live) serves mistral-small: http://127.0.0.1:8100"]
    assert AuditEvent.objects.count() == before


def test_a_machine_that_another_institution_lends_already_is_pointed_out(cast: Cast) -> None:
    run("register_server", *SERVER, *MODEL)

    lines = run("register_server", *SERVER, *MODEL, "--institution", "reims").splitlines()

    assert "Note: rennes-vllm-1 stands for the same address, with limits of its own" in lines


def by_option(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    return ("--credential", "the token")


def by_standard_input(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setattr(sys, "stdin", StringIO("the token\n"))
    return ("--credential", "-")


def by_environment(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setenv("UPSTREAM_CREDENTIAL", "the token")
    return ()


@pytest.mark.parametrize("give", [by_option, by_standard_input, by_environment])
def test_a_servers_token_comes_in_three_ways_and_is_not_repeated(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    give: Callable[[pytest.MonkeyPatch], tuple[str, ...]],
) -> None:
    printed = run("register_server", *SERVER, *MODEL, *give(monkeypatch))

    held = current_credential(InferenceServer.objects.get())
    assert held is not None
    assert held.reveal() == "the token"
    assert "the token" not in printed


def test_an_empty_token_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(""))

    assert "credential" in refused("register_server", *SERVER, *MODEL, "--credential", "-")
    assert "credential" in refused("register_server", *SERVER, *MODEL, "--credential", " ")


AUDITOR_AT_RENNES = ("--role", "auditor", "--institution", "rennes")
DSI_OF_RENNES = ("--role", "member_dsi", "--institution", "rennes")
REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown institution": (
        ("register_server", *SERVER[:2], "nowhere", *SERVER[3:], *MODEL),
        "no institution “nowhere” (known: orleans, reims, rennes)",
    ),
    "a consumer's server": (
        ("register_server", *SERVER[:2], "orleans", *SERVER[3:], *MODEL),
        "not an approved contributor",
    ),
    "a bad address": (("register_server", "gpu:8000", *SERVER[1:], *MODEL), "base_url"),
    "an address with a password": (
        ("register_server", "http://a:b@gpu", *SERVER[1:], *MODEL),
        "base_url",
    ),
    "a metadata service": (
        ("register_server", "http://169.254.169.254", *SERVER[1:], *MODEL),
        "never connects",
    ),
    "an unknown engine": (
        ("register_server", *SERVER[:4], "steam", *MODEL),
        "invalid choice: 'steam'",
    ),
    "no model": (("register_server", *SERVER, *MODEL[2:]), "--model"),
    "an odd model name": (
        ("register_server", *SERVER, "--model", "a b", "--served-name", "x"),
        "slug",
    ),
    "an empty served name": (
        ("register_server", *SERVER, *MODEL[:3], ""),
        "blank",
    ),
    "no request at once": (
        ("register_server", *SERVER, *MODEL, "--max-parallel", "0"),
        "max_parallel",
    ),
    "a word for a number": (
        ("register_server", *SERVER, *MODEL, "--max-parallel", "many"),
        "invalid int value",
    ),
    "a number beyond the column": (
        ("register_server", *SERVER, *MODEL, "--max-parallel", "99999999999"),
        "max_parallel",
    ),
    "a key's unknown institution": (
        ("create_key", "--institution", "x", "--name", "n"),
        "no institution “x”",
    ),
    "a key without a name": (("create_key", "--institution", "rennes", "--name", " "), "name"),
    "a key with too long a name": (
        ("create_key", "--institution", "rennes", "--name", "x" * 101),
        "name",
    ),
    "a class that is none": (
        ("create_key", "--institution", "rennes", "--name", "n", "--class", "6"),
        "invalid choice: 6",
    ),
    "a name over two lines": (
        ("create_key", "--institution", "rennes", "--name", "a\nb"),
        "--name",
    ),
    "an institution that is there": (
        ("add_institution", "rennes", "--name", "Rennes"),
        "already exists",
    ),
    "an odd identifier": (("add_institution", "Rennes 2", "--name", "Rennes 2"), "slug"),
    "an institution without a name": (("add_institution", "nantes", "--name", ""), "name"),
    "an institution with a wrong UAI": (
        ("add_institution", "nantes", "--name", "Nantes", "--uai", "44"),
        "uai",
    ),
    "a person with a wrong address": (
        ("add_person", "nobody", "--name", "N", "--role", "auditor"),
        "email",
    ),
    "a person without a name": (("add_person", "n@example.org", "--role", "auditor"), "name"),
    "an unknown role": (
        ("add_person", "n@example.org", "--name", "N", "--role", "king"),
        "invalid choice: 'king'",
    ),
    "a member's role without an institution": (
        ("add_person", "n@example.org", "--name", "N", "--role", "user"),
        "A role in an institution names one",
    ),
    "a federation's role at an institution": (
        (*("add_person", "n@example.org", "--name", "N"), *AUDITOR_AT_RENNES),
        "A role in an institution names one",
    ),
    "a role that the person has": (
        (*("add_person", "rennes_dsi@example.org"), *DSI_OF_RENNES),
        "already exists",
    ),
    "a link for a second first administrator": (("first_admin_link",), "already has"),
}


def test_a_command_refuses_in_one_line(cast: Cast) -> None:
    for name, (arguments, reason) in REFUSALS.items():
        assert reason in refused(*arguments), name


def test_create_key_prints_the_key_alone_on_the_last_line(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_key", institution="rennes", name="essai", priority=5)

    printed = capsys.readouterr()
    text = printed.out.splitlines()[-1]
    key = ApiKey.objects.get()
    assert is_well_formed(text)
    assert key.digest == digest(django_settings.PEPPER.encode(), text)
    assert key.priority == PriorityClass.P5
    assert text not in printed.err
    assert "cannot be shown again" in printed.err


def test_create_key_twice_makes_two_keys_of_one_application(cast: Cast) -> None:
    for _ in range(2):
        run("create_key", "--institution", "rennes", "--name", "essai")

    assert Application.objects.get().keys.count() == 2


def test_list_servers_tells_each_model_of_each_server_that_is_not_retired(world: World) -> None:
    lines = run("list_servers").splitlines()

    assert lines[0].split()[:3] == ["SERVER", "INSTITUTION", "SITE"]
    assert len(lines) == 1 + InferenceServer.objects.present().count()
    [line] = [line for line in lines if line.startswith("rennes-vllm-1")]
    assert "live" in line
    assert world.model.slug in line
    assert world.server.base_url in line


def test_list_servers_takes_few_queries_however_many_servers_there_are(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        serve_model(cast.rennes)

    with django_assert_num_queries(2):
        run("list_servers")


def test_list_servers_of_an_empty_register_is_its_heading(db: None) -> None:
    assert len(run("list_servers").splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ((), (True, True)),
        (("--contributor",), (True, False)),
        (("--consumer",), (False, True)),
        (("--contributor", "--consumer"), (True, True)),
    ],
)
def test_add_institution_makes_an_approved_member(
    db: None, options: tuple[str, ...], kinds: tuple[bool, bool]
) -> None:
    run("add_institution", "nantes", "--name", "Nantes Université", "--uai", "0442953W", *options)

    membership = Membership.objects.get(institution__slug="nantes")
    assert membership.state == MembershipState.APPROVED
    assert (membership.is_contributor, membership.is_consumer) == kinds
    assert Institution.objects.get().uai == "0442953W"


def test_add_person_opens_an_account_and_prints_its_password_alone(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("add_person", "New@Example.org", name="New", role="user", institution="reims")

    printed = capsys.readouterr()
    user = User.objects.get(email="new@example.org")
    assert user.check_password(printed.out.strip())
    assert printed.out.strip() not in printed.err
    assert user.has_role(Role.USER, cast.reims.pk)


def test_add_person_gives_somebody_known_another_role_and_no_new_password(cast: Cast) -> None:
    printed = run(
        *("add_person", "RENNES_USER@example.org", "--role", "project_owner"),
        *("--institution", "rennes"),
    )

    user = User.objects.get(pk=cast.rennes_user.pk)
    assert printed == ""
    assert user.check_password(PASSWORD)
    assert user.has_role(Role.PROJECT_OWNER, cast.rennes.pk)


def test_first_admin_link_prints_a_link_that_makes_one_administrator(db: None) -> None:
    printed = run("first_admin_link").strip()

    found = re.fullmatch(
        rf"{re.escape(django_settings.PUBLIC_URL)}/people/.*/([\w-]{{43}})/", printed
    )
    assert found
    user = claim_first_admin(
        token=found[1], email="first@example.org", name="First", password=PASSWORD
    )
    assert user.has_role(Role.FEDERATION_ADMIN)
    assert "already has" in refused("first_admin_link")
    assert run("first_admin_link", "--if-needed") == ""


def test_tables_that_are_not_there_are_said_in_one_line(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE fleet_inferenceserver RENAME TO elsewhere")

    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        run("list_servers")


@pytest.mark.parametrize(
    ("arguments", "changed", "reason"),
    [
        (["--skip-checks"], {"DATABASE_URL": "", "VAR": "/nonexistent"}, "DATABASE_URL is not set"),
        (["--skip-checks"], {"DATABASE_URL": "postgresql:///x?host=/nonexistent"}, "not answer"),
        (["--skip-checks"], {"DATABASE_URL": "garbage"}, "no address of PostgreSQL"),
        (["--nonsense"], {}, "Unrecognized arguments: --nonsense"),
    ],
)
def test_manage_py_refuses_in_one_line_of_its_own(
    arguments: list[str], changed: dict[str, str], reason: str
) -> None:
    command = [sys.executable, "manage.py", "list_servers", *arguments]

    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **changed},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1
    assert reason in ended.stderr


def test_a_bad_encryption_key_is_said_in_one_line(cast: Cast, settings: Settings) -> None:
    settings.ENCRYPTION_KEY = "abc"

    assert "ENCRYPTION_KEY" in refused("register_server", *SERVER, *MODEL, "--credential", "token")


TALKATIVE = """
import django
django.setup()
from federation.command import OperatorCommand

class Talkative(OperatorCommand):
    requires_system_checks = ()

    def handle(self, *args, **options):
        for _ in range(10_000):
            self.stdout.write("x" * 80)

Talkative().run_from_argv(["manage.py", "talkative"])
"""


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    """As `| head -n 1` does, long before a pipe's worth of lines is written."""
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(TALKATIVE)} | head -n 1"

    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.stdout == "x" * 80 + "\n"
    assert ended.stderr == ""
