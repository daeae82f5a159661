"""The command `demo`: what it builds, what a second run keeps, and the databases that it leaves alone."""

import json
import socket
import stat
from collections import Counter
from datetime import date, timedelta
from io import StringIO
from typing import Any

import httpx
import msgspec
import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.budgeting.requests import requests_to_decide
from billing.budgeting.standing import stand
from billing.enums import LineUnit, PeriodState, TransferReason
from billing.ledger.balances import findings
from billing.models import (
    Acceptance,
    AccountingPeriod,
    AccountMonth,
    Budget,
    BudgetRequest,
    Contest,
    CostPool,
    Note,
    Statement,
    StatementLine,
    Transfer,
    UsageRecord,
)
from billing.periods import paris_today
from billing.records import partitions
from config.demo import history
from config.demo.building import build_register
from config.demo.files import Remembered, free_ports, remember
from config.demo.life import TRIED
from config.demo.management.commands import demo as command
from federation.access.models import ApiKey
from federation.catalogue.enums import Category
from federation.catalogue.models import AIModel
from federation.fleet.enums import Engine
from federation.fleet.models import Deployment, EgressGrant, InferenceServer
from federation.fleet.operations.servers import change_server_state
from federation.journal.chain import verify
from federation.journal.models import AuditEvent
from federation.members.models import Agreement, Institution
from federation.members.policies import can_put_to_the_committee
from federation.people.enums import Role
from federation.people.models import User
from routing.core.enums import RequestStatus, ServerState
from routing.core.keys import digest
from routing.simulator import simulated_in_thread
from routing.simulator.config import load
from tests.integration.demo.conftest import Demonstration
from tests.support.factories import OPERATOR, make_institution, make_user
from tests.support.sounds import wav

CHATTING = [
    "gpt-oss-120b",
    "mistral-small-3.2-24b",
    "llama-3.1-8b",
    "llama-3.3-70b",
    "qwen-2.5-3b",
    "qwen-3-30b",
]
ALL_MODELS = [*CHATTING, "whisper-large-v3"]


def key_of(text: str) -> ApiKey:
    pepper = django_settings.PEPPER.encode()
    return ApiKey.objects.usable().get(digest=digest(pepper, text))


def row_counts() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


def test_demo_json_says_where_to_look_who_may_log_in_and_with_which_keys(
    demonstration: Demonstration,
) -> None:
    demo = demonstration.run()

    assert list(demo) == ["portal", "api", "accounts", "keys", "models", "servers"]
    assert demo["portal"] == "http://127.0.0.1:8000"
    assert demo["api"] == "http://127.0.0.1:8000/v1"
    assert list(demo["accounts"]) == ["admin", "rennes_dsi", "orleans_user"]
    assert list(demo["keys"]) == ["p5", "p3", "p1", "rennes", "reims"]
    assert demo["models"] == CHATTING
    assert len(demo["servers"]) == 8
    for server in demo["servers"]:
        assert list(server) == ["name", "institution", "engine", "url", "model"]
    assert {server["model"] for server in demo["servers"]} == set(ALL_MODELS)


def test_both_files_are_their_owners_alone(demonstration: Demonstration) -> None:
    demonstration.run()

    for name in ("demo.json", "simulator.json"):
        assert stat.S_IMODE((demonstration.var / name).stat().st_mode) == 0o600


def test_the_accounts_sign_in_and_hold_their_roles(demonstration: Demonstration) -> None:
    accounts = demonstration.run()["accounts"]

    held = {name: User.objects.get(email=each["email"]) for name, each in accounts.items()}
    for name, account in accounts.items():
        assert Client().login(email=account["email"], password=account["password"]), name
    assert held["admin"].has_role(Role.FEDERATION_ADMIN)
    rennes = Institution.objects.get(slug="rennes")
    assert held["rennes_dsi"].has_role(Role.MEMBER_DSI, rennes.pk)
    orleans = Institution.objects.get(slug="orleans")
    assert held["orleans_user"].has_role(Role.USER, orleans.pk)


def test_who_decides_for_others_needs_one_time_codes_whose_secret_is_kept_sealed(
    demonstration: Demonstration,
) -> None:
    accounts = demonstration.run()["accounts"]

    for name in ("admin", "rennes_dsi"):
        account, secret = accounts[name], accounts[name]["totp_secret"]
        kept = Authenticator.objects.get(user__email=account["email"])
        assert secret not in json.dumps(kept.data)
        assert get_adapter().decrypt(kept.data["secret"]) == secret
    assert accounts["orleans_user"]["totp_secret"] is None


def test_the_keys_have_their_classes_and_their_institutions(demonstration: Demonstration) -> None:
    keys = {name: key_of(text) for name, text in demonstration.run()["keys"].items()}

    assert [keys[name].priority for name in ("p5", "p3", "p1")] == [5, 3, 1]
    assert keys["rennes"].application.institution.slug == "rennes"
    assert keys["reims"].application.institution.slug == "reims"


def test_the_federation_is_that_of_the_slides(demonstration: Demonstration) -> None:
    demonstration.run()

    servers = InferenceServer.objects.select_related("site__institution")
    contributors = Institution.objects.approved().filter(memberships__is_contributor=True)
    assert {server.institution for server in servers} == set(contributors)
    assert {institution.slug for institution in contributors} == {
        *("rennes", "reims", "paris1", "cotedazur", "strasbourg")
    }
    assert {server.state for server in servers} == {ServerState.LIVE}
    assert {server.engine for server in servers} >= {
        *(Engine.VLLM, Engine.OLLAMA, Engine.LITELLM, Engine.LMDEPLOY)
    }
    assert set(AIModel.objects.served().values_list("slug", flat=True)) == {*ALL_MODELS, TRIED}


def test_two_models_run_at_two_institutions_each(demonstration: Demonstration) -> None:
    demonstration.run()

    places = set(
        Deployment.objects.live().values_list(
            "version__model__slug", "server__site__institution__slug"
        )
    )
    assert len([slug for slug, n in Counter(slug for slug, _ in places).items() if n > 1]) >= 2


def test_every_model_tells_its_readers_what_it_is_in_both_languages(
    demonstration: Demonstration,
) -> None:
    demonstration.run()

    for model in AIModel.objects.served():
        assert model.description_fr
        assert model.description_en
        assert model.publisher
        assert model.licence
        assert model.capabilities
        assert model.versions.get(current=True).context_length


def test_exactly_the_servers_own_addresses_are_allowed(demonstration: Demonstration) -> None:
    demo = demonstration.run()

    allowed = {f"http://{row.address}:{row.port}" for row in EgressGrant.objects.in_force()}
    assert allowed == {server["url"] for server in demo["servers"]}


def test_a_server_whose_port_is_taken_moves_before_the_simulator_starts(
    demonstration: Demonstration,
) -> None:
    before = {server["name"]: server["url"] for server in demonstration.run()["servers"]}
    taken, *others = before
    port = httpx.URL(before[taken]).port
    with socket.create_server(("127.0.0.1", port or 0)):
        call_command("demo", "--move")

        after = {
            server["name"]: server["url"] for server in demonstration.read("demo.json")["servers"]
        }
        assert after[taken] != before[taken]
        assert [after[name] for name in others] == [before[name] for name in others]
        simulated = {
            each.name: each.port for each in load(demonstration.var / "simulator.json").servers
        }
        assert simulated[taken] == httpx.URL(after[taken]).port
        allowed = {f"http://{row.address}:{row.port}" for row in EgressGrant.objects.in_force()}
        assert allowed == set(after.values())


def test_the_simulated_servers_answer_under_the_registers_names_and_tokens(
    demonstration: Demonstration,
) -> None:
    demonstration.run()
    config = load(demonstration.var / "simulator.json")
    tokens = {server.name: server.api_key for server in config.servers}

    with simulated_in_thread(msgspec.structs.replace(config, speed=0)):
        for row in Deployment.objects.live().select_related("server", "version__model"):
            heard = row.version.model.category == Category.SPEECH
            put = hear if heard else ask
            answer = put(row.server.base_url, tokens[row.server.slug], row.served_name)
            assert answer.status_code == 200, (row.server.slug, answer.text)
            told = answer.json()
            assert told["text"] if heard else told["choices"][0]["message"]["content"]


def hear(url: str, token: str | None, model: str) -> httpx.Response:
    return httpx.post(
        f"{url}/v1/audio/transcriptions",
        headers={"authorization": f"Bearer {token}"},
        data={"model": model},
        files={"file": ("a.wav", wav(2000))},
        trust_env=False,
    )


def ask(url: str, token: str | None, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 5}
    return httpx.post(
        f"{url}/v1/chat/completions",
        headers={"authorization": f"Bearer {token}"},
        json=body,
        trust_env=False,
    )


def test_usage_is_marked_lies_in_its_months_and_names_what_is_in_the_register(
    demonstration: Demonstration,
) -> None:
    demonstration.run()

    records = UsageRecord.objects.all()
    assert records.count() > 1000
    assert not records.filter(is_demo=False).exists()
    assert partitions.strays() == {}
    served = records.exclude(status=RequestStatus.REFUSED)
    assert not served.filter(serving_institution_id=None).exists()
    institutions = set(Institution.objects.approved().values_list("pk", flat=True))
    assert set(records.values_list("asking_institution_id", flat=True)) == institutions
    keys = set(ApiKey.objects.values_list("pk", flat=True))
    assert set(records.values_list("key_id", flat=True)) == keys


def test_a_second_run_keeps_everything_and_adds_nothing(demonstration: Demonstration) -> None:
    first = demonstration.run()
    simulator, before = demonstration.read("simulator.json"), row_counts()

    second = demonstration.run()

    added = UsageRecord.objects.count() - before.pop("billing.UsageRecord")
    before.pop("billing.Attempt")
    assert second == first
    assert demonstration.read("simulator.json") == simulator
    assert {label: row_counts()[label] for label in before} == before
    assert added < 5, "only what the seconds in between may have brought"


def test_budgets_are_near_their_end_and_more_is_asked_for(demonstration: Demonstration) -> None:
    demonstration.run()

    near = {each.budget.name: each.percent for each in stand(list(Budget.objects.in_force()))}
    assert 75 <= near["Semestre"] <= 84
    assert BudgetRequest.objects.open().count() == 2
    admin = User.objects.get(email="admin@ilaas.example")
    assert len(requests_to_decide(admin)) == 2


def test_accounts_are_alive(demonstration: Demonstration) -> None:
    demonstration.run()

    assert findings() == []
    months = list(AccountMonth.objects.values_list("month", flat=True).distinct())
    past = {month for month in months if month < paris_today().replace(day=1)}
    assert set(AccountingPeriod.objects.values_list("month", flat=True)) == past
    assert not AccountingPeriod.objects.exclude(state=PeriodState.CLOSED).exists()
    (pool,) = CostPool.objects.all()
    assert pool.year == min(past).year < max(past).year
    assert pool.posted_at
    assert pool.notes.exists()
    latest = Statement.objects.filter(period_id=max(past))
    assert latest.count() == Institution.objects.approved().count()
    corrected = Note.objects.filter(statement__in=latest)
    assert {note.institution.slug for note in corrected} >= {"orleans"}
    assert Contest.objects.waiting().get().institution.slug == "rennes"
    assert Acceptance.objects.get().institution.slug == "strasbourg"
    assert Transfer.objects.filter(reason=TransferReason.GRANT).exists()
    assert StatementLine.objects.filter(unit=LineUnit.AUDIO).exists()


def test_months_that_somebody_has_begun_are_left_to_them(demonstration: Demonstration) -> None:
    demonstration.run()
    later = AccountingPeriod.objects.count()
    AccountingPeriod.objects.create(month=date(2031, 1, 1))

    demonstration.run()

    assert AccountingPeriod.objects.count() == later + 1
    assert Contest.objects.count() == 2


def test_the_addresses_follow_the_port(demonstration: Demonstration, settings: Settings) -> None:
    demonstration.run()
    settings.PUBLIC_URL = "http://127.0.0.1:8017"

    demo = demonstration.run()

    assert demo["portal"] == "http://127.0.0.1:8017"
    assert demo["api"] == "http://127.0.0.1:8017/v1"


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", '{"accounts": [], "keys": {"p5": 5}}', '{"accounts": {"admin": null}}'],
    ids=["lost", "empty", "torn", "a list", "other types", "no account"],
)
def test_passwords_and_keys_that_nobody_knows_any_more_are_replaced(
    demonstration: Demonstration, content: str | None
) -> None:
    first = demonstration.run()
    path = demonstration.var / "demo.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    second = demonstration.run()

    account = second["accounts"]["admin"]
    assert Client().login(email=account["email"], password=account["password"])
    assert account["totp_secret"] == first["accounts"]["admin"]["totp_secret"]
    assert second["servers"] == first["servers"]
    for name, text in second["keys"].items():
        key = key_of(text)
        assert text != first["keys"][name]
        assert key.application.keys.usable().get() == key


def test_after_another_encryption_key_tokens_and_codes_are_new(
    demonstration: Demonstration, settings: Settings
) -> None:
    first = demonstration.run()
    tokens = [server["api_key"] for server in demonstration.read("simulator.json")["servers"]]
    settings.ENCRYPTION_KEY = Fernet.generate_key().decode()

    second = demonstration.run()

    renewed = [server["api_key"] for server in demonstration.read("simulator.json")["servers"]]
    assert all(renewed)
    assert not set(tokens) & set(renewed)
    assert second["accounts"]["admin"]["totp_secret"] != first["accounts"]["admin"]["totp_secret"]


def test_what_was_changed_by_hand_stays(demonstration: Demonstration) -> None:
    demonstration.run()
    server = InferenceServer.objects.get(slug="rennes-vllm-1")
    change_server_state(by=OPERATOR, server=server, state=ServerState.SUSPENDED)
    make_institution("nantes")

    demonstration.run()

    server.refresh_from_db()
    assert server.state == ServerState.SUSPENDED
    assert Institution.objects.filter(slug="nantes").exists()


def test_a_retired_server_comes_not_back_and_the_rest_goes_on(
    demonstration: Demonstration,
) -> None:
    demonstration.run()
    server = InferenceServer.objects.get(slug="cotedazur-ollama-1")
    for state in (ServerState.DRAINING, ServerState.RETIRED):
        change_server_state(by=OPERATOR, server=server, state=state)

    demo = demonstration.run()

    assert InferenceServer.objects.count() == len(demo["servers"]) == 8
    assert load(demonstration.var / "simulator.json")


@pytest.mark.parametrize("make", [lambda: make_institution("rennes"), lambda: make_user("admin")])
def test_another_federations_database_is_left_alone(
    demonstration: Demonstration, make: Any
) -> None:
    make()
    before = row_counts()

    with pytest.raises(CommandError) as refused:
        demonstration.run()

    assert len(str(refused.value).splitlines()) == 1
    assert row_counts() == before
    assert not demonstration.var.exists()


def test_a_run_that_fails_half_way_leaves_no_half_federation(
    demonstration: Demonstration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> int:
        raise RuntimeError("power cut")

    before = row_counts()
    with monkeypatch.context() as patched:
        patched.setattr(command, "fill", fail)
        with pytest.raises(RuntimeError):
            demonstration.run()

    assert row_counts() == before
    assert not (demonstration.var / "demo.json").exists()
    assert demonstration.run()["models"] == CHATTING


def test_later_runs_fill_the_days_in_between_once(demonstration: Demonstration) -> None:
    demonstration.run()
    later = timezone.now() + timedelta(days=3)
    partitions.ensure(timezone.now().date(), later.date())
    register = build_register(remember(demonstration.var))
    before = UsageRecord.objects.count()

    added = history.fill(register, later)

    assert added > 30
    assert UsageRecord.objects.count() == before + added
    assert history.fill(register, later) == 0


def test_after_a_long_absence_the_last_sixty_days_are_filled(demonstration: Demonstration) -> None:
    demonstration.run()
    later = timezone.now() + timedelta(days=200)
    history.make_room(later)
    register = build_register(remember(demonstration.var))

    history.fill(register, later)

    oldest_new = UsageRecord.objects.filter(received_at__gt=timezone.now()).order_by("pk").first()
    assert oldest_new is not None
    assert oldest_new.received_at > later - timedelta(days=61)


def test_the_journal_tells_how_the_demonstration_came_about(demonstration: Demonstration) -> None:
    demonstration.run()

    count, _head = verify(AuditEvent.objects.order_by("seq"))
    assert count > 60
    commands = AuditEvent.objects.exclude(actor_kind="person").values_list(
        "actor_command", flat=True
    )
    assert set(commands) == {"demo"}
    # What only a person can do: accept the charter, apply, sign, propose a model, ask for more of a budget.
    own = {"billing", "catalogue", "members", "people"}
    assert {
        event.verb.split(".")[0] for event in AuditEvent.objects.filter(actor_kind="person")
    } <= own


def test_a_candidate_waits_for_the_committee(demonstration: Demonstration) -> None:
    demonstration.run()

    agreement = Agreement.objects.get()
    assert agreement.membership.institution.slug == "angers"
    assert (agreement.state, agreement.membership.state) == ("signed", "candidate")
    assert can_put_to_the_committee(agreement.membership)


def test_no_password_and_no_key_is_printed(
    demonstration: Demonstration, caplog: pytest.LogCaptureFixture
) -> None:
    output = StringIO()

    call_command("demo", stdout=output)

    demo = demonstration.read("demo.json")
    secrets = [account["password"] for account in demo["accounts"].values()]
    secrets += [demo["accounts"]["admin"]["totp_secret"], *demo["keys"].values()]
    secrets += [each["api_key"] for each in demonstration.read("simulator.json")["servers"]]
    assert not [secret for secret in secrets if secret in output.getvalue() + caplog.text]


def test_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(50)

    assert len(set(ports)) == 50
    assert not free_ports(0)


def test_what_was_never_written_is_remembered_as_nothing() -> None:
    contents: tuple[object, ...] = (None, [], "text", {"accounts": {"admin": {"password": 5}}})
    for content in contents:
        assert Remembered(content).password("admin") == Remembered(content).key("p5") == ""
