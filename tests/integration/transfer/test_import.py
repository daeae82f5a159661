"""An aristote-dispatcher's files become rows of the register: shown, done once, refused as a whole."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from federation.access.models import ApiKey, Application
from federation.access.operations import create_application, revoke_key
from federation.catalogue.models import AIModel, RoutingPolicy
from federation.fleet.models import Deployment, InferenceServer
from federation.fleet.operations.credentials import current_credential
from federation.journal.models import AuditEvent
from federation.members.models import Institution
from routing.core.enums import LifecycleStage, RoutingMode, RoutingSetting, ServerState
from routing.core.keys import digest
from tests.support.dispatcher import USERS, VALUES, run, write
from tests.support.factories import OPERATOR, Cast

MISTRAL = "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
SEED = ("--public-id", "model", "--institution", "rennes")


@pytest.fixture
def values(tmp_path: Path) -> Path:
    return write(tmp_path, "values.yaml", VALUES)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    return write(tmp_path, "users.csv", USERS)


def key_of(text: str) -> ApiKey:
    return ApiKey.objects.get(digest=digest(settings.PEPPER.encode(), text))


def everything() -> tuple[int, ...]:
    kinds = (Institution, AIModel, InferenceServer, Deployment, Application, ApiKey, AuditEvent)
    return tuple(kind._default_manager.count() for kind in kinds)


def refused(*arguments: object) -> str:
    """Return every line of the refusal, after which everything is as before."""
    before = everything()
    faults = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("import_dispatcher", *map(str, arguments), stdout=faults, stderr=faults)
    assert everything() == before
    assert len(str(refusal.value).splitlines()) == 1
    return f"{faults.getvalue()}{refusal.value}"


def test_without_apply_the_import_shows_what_it_would_do_and_does_nothing(
    cast: Cast, values: Path, users: Path
) -> None:
    before = everything()

    lines = run("import_dispatcher", "--values", values, "--users", users, *SEED)

    assert lines == [
        "+ institution universite-de-tours: Université de Tours, contributor and consumer",
        f"+ model {MISTRAL}, in production: least-busy-requeue",
        f"+ model {LLAMA}, in production: round-robin",
        "+ server https://dc1.univ-xxx.example/vllm of rennes (vllm), no ceiling, with a token: "
        f"serves {MISTRAL}",
        "+ server https://dc2.univ-yyy.example of rennes (vllm), no ceiling, with a token: "
        f"serves {LLAMA}",
        "+ key of “Moodle” at universite-de-tours: class 1, any, refused when more than 5 wait",
        "+ key of “Capytale” at rennes: class 5, private-first, refused when more than 20 wait, "
        "200 when full",
        "+ key of “RAGaRenn” at rennes: class 3, private-only, refused when more than 10 wait",
        "! models[0].routing_strategy: where the dispatcher only logs that its servers are full, "
        "requests wait here",
        "! models[0].vllm_servers[1]: the same server as models[0].vllm_servers[0]: taken once",
        "! https://dc1.univ-xxx.example/vllm: its host is unknown here; if its address is private, "
        "register_server must allow it",
        "! https://dc2.univ-yyy.example: its host is unknown here; if its address is private, "
        "register_server must allow it",
        "Nothing was changed: --apply does it.",
    ]
    assert everything() == before


def test_with_apply_it_is_done(cast: Cast, values: Path, users: Path) -> None:
    lines = run("import_dispatcher", "--values", values, "--users", users, *SEED, "--apply")

    assert lines[-1] == "Done."
    server = InferenceServer.objects.get(base_url="https://dc1.univ-xxx.example/vllm")
    assert (server.institution, server.state) == (cast.rennes, ServerState.LIVE)
    token = current_credential(server)
    assert token is not None
    assert token.reveal() == "secret-of-dc1"
    model = AIModel.objects.get(slug=MISTRAL)
    assert (model.stage, model.display_name) == (LifecycleStage.PRODUCTION, "mistral31-24b")
    policy = RoutingPolicy.objects.current_of(model)
    assert policy.setting == RoutingSetting.LEAST_BUSY_REQUEUE
    assert Deployment.objects.get(server=server).served_name == MISTRAL
    key = key_of("clé,à-l'ancienne;42")
    assert key.application.name == key.name == "Capytale"
    assert key.application.institution == cast.rennes
    assert (key.priority, key.threshold, key.answers_200_when_full, key.routing_mode) == (
        5,
        20,
        True,
        RoutingMode.PRIVATE_FIRST,
    )
    moodle = key_of("tokenwithlowerpriority").application
    assert moodle.institution.name == "Université de Tours"
    assert moodle.description == "Contact: moodle@tours.example"


def test_a_second_import_has_nothing_to_do(cast: Cast, values: Path, users: Path) -> None:
    arguments = ("import_dispatcher", "--values", values, "--users", users, *SEED, "--apply")
    run(*arguments)
    before = everything()

    lines = run(*arguments)

    assert lines[-2:] == ["= 7 models, servers and keys stand as the files say", "Nothing to do."]
    assert everything() == before


def test_what_changed_at_the_dispatcher_is_taken_on_the_next_import(
    cast: Cast, tmp_path: Path, values: Path, users: Path
) -> None:
    run("import_dispatcher", "--values", values, "--users", users, *SEED, "--apply")
    changed = VALUES.replace("token: secret-of-dc2", "token: new\n        max_parallel_requests: 8")
    values = write(tmp_path, "values.yaml", changed.replace("round-robin", "least-busy"))
    users = write(tmp_path, "users.csv", USERS.replace("3,10,,private-only", "4,9,chat,any"))

    lines = run("import_dispatcher", "--values", values, "--users", users, *SEED, "--apply")

    assert [line for line in lines if line[0] in "+~"] == [
        f"~ model {LLAMA}: round-robin → least-busy-requeue",
        "~ server https://dc2.univ-yyy.example of rennes: another token; no ceiling → 8 at once",
        "~ key of “RAGaRenn”: class 3, private-only, refused when more than 10 wait → "
        "class 4, any, refused when more than 9 wait, 200 when full",
    ]
    key = key_of("sk-0123456789abcdef0123456789abcdef")
    assert (key.priority, key.threshold, key.answers_200_when_full) == (4, 9, True)
    assert InferenceServer.objects.get(base_url="https://dc2.univ-yyy.example").max_parallel == 8


def test_a_key_that_was_revoked_here_stays_revoked(cast: Cast, users: Path) -> None:
    run("import_dispatcher", "--users", users, "--apply")
    revoke_key(by=OPERATOR, key=key_of("tokenwithlowerpriority"), reason="leaked")
    changed = write(users.parent, "users.csv", USERS.replace("example,1,5", "example,4,5"))

    lines = run("import_dispatcher", "--users", changed, "--apply")

    assert "! users.csv line 2: this key was revoked or has expired here, and stays so" in lines
    assert lines[-1] == "Nothing to do."


def test_a_person_with_an_account_at_the_institution_owns_the_application(
    cast: Cast, tmp_path: Path
) -> None:
    address = cast.rennes_user.email
    users = write(tmp_path, "users.csv", USERS.replace("rag@rennes.example", address))

    run("import_dispatcher", "--users", users, "--apply")

    application = Application.objects.get(name="RAGaRenn")
    assert (application.owner, application.description) == (cast.rennes_user, "")


def test_an_address_that_an_application_of_before_does_not_take_is_told(
    cast: Cast, tmp_path: Path
) -> None:
    create_application(by=OPERATOR, institution=Institution.objects.get(slug="rennes"), name="Chat")
    dump = "id,name,token,priority,threshold,organization,email\n"
    users = write(tmp_path, "users.csv", dump + "1,Chat,sk-chat,2,10,rennes,chat@rennes.example\n")

    told = run("import_dispatcher", "--users", users, *SEED, "--apply")

    assert "! application Chat was there before: chat@rennes.example is not written into it" in told


def test_no_more_of_an_old_key_is_shown_than_nobody_can_use(cast: Cast, users: Path) -> None:
    run("import_dispatcher", "--users", users, "--apply")

    shown = {key.name: (key.prefix, key.last4) for key in ApiKey.objects.all()}
    assert shown == {"Moodle": ("to", "ty"), "Capytale": ("cl", "42"), "RAGaRenn": ("sk-0", "cdef")}


def test_an_environment_means_the_same_as_the_values(cast: Cast, tmp_path: Path) -> None:
    consumer = write(
        tmp_path,
        "consumer.env",
        "PATH=/usr/bin\nMODEL=mistral-small\nROUTING_STRATEGY=round-robin\n"
        "QUALITY_OF_SERVICE_POLICY=parallel-requests-threshold-requeue\nPRIORITY_HANDLER=vllm\n"
        "DEFAULT_MAX_PARALLEL_REQUESTS=16\n"
        'VLLM_SERVERS=\'{"http://127.0.0.1:8101": {"token": "a", "organization": "Rennes"}, '
        '"http://127.0.0.1:8102/vllm/v1/": {"organization": "reims", "max_parallel_requests": 4}}\'\n',
    )
    sender = write(
        tmp_path, "sender.env", 'MODEL_HOST_MAPPING={"mistral-small": ["Rennes", "reims"]}\n'
    )

    lines = run("import_dispatcher", "--env", consumer, "--env", sender, "--apply")

    assert "! consumer.env: not read by the dispatcher: PATH" in lines
    found = {
        server.base_url: (server.institution.slug, server.max_parallel)
        for server in InferenceServer.objects.all()
    }
    assert found == {
        "http://127.0.0.1:8101": ("rennes", 16),
        "http://127.0.0.1:8102/vllm": ("reims", 4),
    }
    policy = RoutingPolicy.objects.current_of(AIModel.objects.get(slug="mistral-small"))
    assert (policy.setting, policy.forward_priority) == (RoutingSetting.ROUND_ROBIN_REQUEUE, True)
    assert "+ network permission for http://127.0.0.1:8101: 127.0.0.1 port 8101" in lines


def test_a_server_without_an_organization_belongs_to_the_only_host_of_its_model(
    cast: Cast, tmp_path: Path
) -> None:
    hosting = """
sender:
  env:
    - name: MODEL_HOST_MAPPING
      value: '{"mistral31-24b": ["Reims"]}'
"""
    values = write(tmp_path, "values.yaml", VALUES + hosting)
    owner = ("--owner", "dc2.univ-yyy.example=rennes", "--engine", "dc2.univ-yyy.example=ollama")

    run("import_dispatcher", "--values", values, "--public-id", "name", *owner, "--apply")

    found = {
        server.base_url: (server.institution.slug, server.engine)
        for server in InferenceServer.objects.all()
    }
    assert found == {
        "https://dc1.univ-xxx.example/vllm": ("reims", "vllm"),
        "https://dc2.univ-yyy.example": ("rennes", "ollama"),
    }
    assert set(AIModel.objects.values_list("slug", flat=True)) == {"mistral31-24b", "llama31-8b2"}


URL = "url: https://dc2.univ-yyy.example"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("routing_strategy: round-robin", "routing_stratgy: x", "models[1].routing_stratgy: unkn"),
        ("models:", "modles: []\nmodels:", "modles: unknown"),
        (URL, f"{URL}\n        weight: 2", "models[1].vllm_servers[0].weight: unknown"),
        (URL, "url: dc2", "models[1].vllm_servers[0].url: The address must read"),
        (URL, "url: https://me:secret@dc2.example", "models[1].vllm_servers[0].url: The address"),
        (URL, "organization: Rennes", "models[1].vllm_servers[0].url: is missing"),
        (
            URL,
            f"{URL}\n        max_parallel_requests: 0",
            "max_parallel_requests: must be at least 1",
        ),
        (
            URL,
            f"{URL}\n        max_parallel_requests: '8'",
            "max_parallel_requests: must be a whole",
        ),
        ("token: secret-of-dc2", "token: 0123", "models[1].vllm_servers[0].token: must be a text"),
        (URL, f"{URL}\n        organization: Orleans", "organization: orleans is no contributor"),
        ("round-robin", "fastest", "models[1].routing_strategy: must be one of round-robin, least"),
        ("name: llama", "name: x\n    name: llama", "models[1].name: given twice"),
        ("https://dc2.univ-yyy.example", "https://dc1.univ-xxx.example/vllm", "token: another one"),
        (
            "meta-llama/Llama-3.1-8B-Instruct",
            MISTRAL.upper(),
            "clients ask for it by the same name",
        ),
        ("meta-llama/Llama-3.1-8B-Instruct", "", "models[1].model: is empty"),
        ("meta-llama/Llama-3.1-8B-Instruct", "a b", "slug: "),
        ("models:", "models: [", "values.yaml line"),
        (VALUES, "- 1", ": must be a mapping"),
    ],
)
def test_a_values_file_that_is_wrong_is_refused_by_the_name_of_the_field(
    cast: Cast, tmp_path: Path, before: str, after: str, told: str
) -> None:
    values = write(tmp_path, "values.yaml", VALUES.replace(before, after))
    users = write(tmp_path, "users.csv", USERS)

    refusal = refused("--values", values, "--users", users, *SEED, "--apply")

    assert told in refusal
    assert "secret" not in refusal


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "3,sk-",
            "4,tokenwithlowerpriority,Other,,,1,5,,any\n3,sk-",
            "line 4.token: the same as at",
        ),
        (",Capytale,", ",Moodle,", "users.csv line 3.name: the same as at users.csv line 2"),
        (",1,5,,any", ",-1,5,,any", "users.csv line 2.priority: must be at least 0"),
        (",1,5,,any", ",high,5,,any", "users.csv line 2.priority: must be a whole number"),
        (",1,5,,any", ",1,-1,,any", "users.csv line 2.threshold: must be at least 0"),
        (",1,5,,any", ",1,,,any", "users.csv line 2.threshold: is empty"),
        (",1,5,,any", ",1,5,,private", "users.csv line 2.default_routing_mode: must be one of any"),
        (",1,5,,any", ",1,5,,any,x", "users.csv line 2: has 10 values for 9 columns"),
        ("tokenwithlowerpriority", "x" * 256, "users.csv line 2.token: is longer than 255"),
        ("tokenwithlowerpriority", "", "users.csv line 2.token: is empty"),
        ("tokenwithlowerpriority", "a\u0007b", "users.csv line 2.token: holds a character"),
        ("Université de Tours", "", "users.csv line 2.organization: is missing; say whose it is"),
        ("Université de Tours", "???", "users.csv line 2.organization: gives no identifier"),
        ("id,token", "quota,token", "users.quota: unknown"),
        ("id,token", "id,jeton", "users.token: is missing"),
        (USERS, "", "users.csv: is empty"),
        (USERS, "CREATE TABLE public.other (\n id int\n);\n", "users.csv: holds no table users"),
    ],
)
def test_a_dump_of_users_that_is_wrong_is_refused_by_the_name_of_the_field(
    cast: Cast, tmp_path: Path, before: str, after: str, told: str
) -> None:
    values = write(tmp_path, "values.yaml", VALUES)
    users = write(tmp_path, "users.csv", USERS.replace(before, after))

    refusal = refused(
        *("--values", values, "--users", users, "--public-id", "name", "--apply"),
        *("--owner", "dc1.univ-xxx.example=rennes", "--owner", "dc2.univ-yyy.example=rennes"),
    )

    assert told in refusal
    assert "tokenwith" not in refusal


def test_every_fault_is_told_at_once(cast: Cast, tmp_path: Path) -> None:
    wrong = VALUES.replace("routing_strategy", "strategy").replace("url:", "adress:")
    values = write(tmp_path, "values.yaml", wrong)

    refusal = refused("--values", values, *SEED)

    assert refusal.endswith("8 faults, listed above. Nothing was changed.")
    assert "models[0].strategy: unknown" in refusal
    assert "models[1].vllm_servers[0].adress: unknown" in refusal


def test_an_unknown_field_is_passed_over_when_it_is_named(cast: Cast, tmp_path: Path) -> None:
    values = write(
        tmp_path, "values.yaml", VALUES.replace("    routing_", "    pool: a\n    routing_")
    )

    lines = run("import_dispatcher", "--values", values, *SEED, "--ignore", "models[].pool")

    assert lines[-1] == "Nothing was changed: --apply does it."


def test_it_must_be_said_by_which_field_clients_ask(cast: Cast, values: Path) -> None:
    refused("--values", values, "--institution", "rennes")
