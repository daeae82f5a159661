"""What an import would do, from what the files mean and what the register has: no database is asked."""

from dataclasses import replace
from typing import Any

import pytest

from routing.bridge.transfer import meaning, register
from routing.bridge.transfer.owners import Choices
from routing.bridge.transfer.plan import make_plan
from routing.bridge.transfer.reading import Refused
from routing.core.enums import LifecycleStage, RoutingMode, RoutingSetting, ServerState
from routing.core.ids import uuid7
from routing.upstream.credentials import Secret

URL = "https://dc1.univ-xxx.example"
SERVER = meaning.Server(URL, organization="Rennes", token=Secret("a"), where="servers[0]")
MODEL = meaning.Model("llama", "meta/llama", "llama31", (SERVER,), where="models[0]")
KEY = meaning.Key(
    Secret("sk-0123456789abcdef"), "Moodle", 3, 10, organization="Rennes", where="users[0]"
)
RENNES = register.Institution("rennes", "Université de Rennes", "Rennes", True, True)
REGISTERED = register.Server(
    "rennes", URL, "vllm", ServerState.LIVE, Secret("a"), None, {"llama": "llama"}
)
KNOWN = register.Model(
    *("llama", "llama31", LifecycleStage.PRODUCTION, "meta/llama", ""),
    setting=RoutingSetting.ROUND_ROBIN,
    forward_priority=False,
)
EMPTY = register.Register(institutions=(RENNES,))
FULL = register.Register(institutions=(RENNES,), servers=(REGISTERED,), models={"llama": KNOWN})


def lines(
    model: meaning.Model = MODEL, present: register.Register = FULL, choices: Choices | None = None
) -> list[str]:
    wanted = meaning.Configuration(models=(model,))
    return list(make_plan(wanted, present, choices or Choices(), ()).lines())


def refusal(
    model: meaning.Model = MODEL, present: register.Register = FULL, choices: Choices | None = None
) -> str:
    with pytest.raises(Refused) as refused:
        lines(model, present, choices)
    return str(refused.value)


def on(**changes: object) -> meaning.Model:
    """The model on its server with these changes."""
    return replace(MODEL, servers=(replace(SERVER, **changes),))  # type: ignore[arg-type]


def test_what_stands_as_the_files_say_needs_nothing() -> None:
    assert lines() == ["= 2 models, servers and keys stand as the files say"]


def test_a_token_and_a_ceiling_that_the_files_leave_out_stay() -> None:
    present = replace(FULL, servers=(replace(REGISTERED, max_parallel=8),))

    assert lines(on(token=None), present)[0].startswith("= 2")


def test_a_server_of_another_institution_at_the_same_address_is_another_one() -> None:
    reims = register.Institution("reims", "Université de Reims", "Reims", True, True)
    present = replace(FULL, institutions=(RENNES, reims))

    assert lines(on(organization="Reims"), present)[0].startswith(f"+ server {URL} of reims")


@pytest.mark.parametrize("text", ["rennes", "RENNES", "Université de Rennes", " rennes "])
def test_an_organization_is_found_by_any_name_of_the_institution(text: str) -> None:
    assert lines(on(organization=text))[0].startswith("= 2")


def test_a_name_that_two_institutions_bear_is_refused_until_it_is_said_which() -> None:
    other = register.Institution("rennes-2", "Université Rennes 2", "Rennes", True, True)
    present = replace(FULL, institutions=(RENNES, other))

    assert "rennes or rennes-2" in refusal(on(organization="Rennes"), present)
    chosen = Choices(organizations={"Rennes": "rennes"})
    assert lines(on(organization="Rennes"), present, chosen)[0].startswith("= 2")


def test_a_chosen_institution_must_exist() -> None:
    assert "no institution “renes” (known: rennes)" in refusal(choices=Choices(institution="renes"))
    assert "no institution “renes”" in refusal(
        choices=Choices(owners={"dc1.univ-xxx.example": "renes"})
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"is_member": False}, "rennes is no approved member"),
        ({"contributes": False}, "rennes is no contributor"),
    ],
)
def test_only_contributors_bring_servers(changes: dict[str, Any], told: str) -> None:
    present = replace(EMPTY, institutions=(replace(RENNES, **changes),))

    assert told in refusal(present=present)


def test_a_retired_model_is_not_brought_back() -> None:
    retired = replace(KNOWN, stage=LifecycleStage.RETIRED)

    assert "models[0]: “llama” is retired here" in refusal(
        present=replace(FULL, models={"llama": retired})
    )


def test_a_name_that_is_an_alias_here_is_refused() -> None:
    assert "is an alias of llama-3.1-8b here" in refusal(
        present=replace(EMPTY, aliases={"llama": "llama-3.1-8b"})
    )


def test_what_waits_or_was_stopped_here_is_told_and_stays() -> None:
    present = register.Register(
        institutions=(RENNES,),
        servers=(replace(REGISTERED, state=ServerState.SUSPENDED),),
        models={"llama": replace(KNOWN, stage=LifecycleStage.PROPOSED)},
    )

    assert lines(present=present)[:2] == [
        "! models[0]: “llama” is proposed here: not served yet",
        "! servers[0]: suspended here, and stays so",
    ]


def test_a_server_of_two_models_has_the_larger_ceiling() -> None:
    models = (
        replace(on(max_parallel=4), name="a"),
        replace(on(max_parallel=9), name="b", where="models[1]"),
    )

    plan = make_plan(meaning.Configuration(models=models), EMPTY, Choices(), ())

    assert [line.count("at most 9 at once") for line in plan.lines()] == [0, 0, 1, 1]


def test_a_key_under_another_institution_here_stays_there() -> None:
    held = register.Key(
        *(uuid7(), "d", "Moodle", "reims", "", 3, 10, False),
        routing_mode=RoutingMode.ANY,
        is_usable=True,
    )
    wanted = meaning.Configuration(keys=(KEY,))

    plan = make_plan(wanted, replace(EMPTY, keys={"d": held}), Choices(), ("d",))

    assert list(plan.lines()) == [
        "! users[0].organization: the key stands under reims here, and stays",
        "= 1 models, servers and keys stand as the files say",
    ]


def test_a_short_key_and_a_long_name_are_told() -> None:
    key = replace(KEY, token=Secret("secret"), name="n" * 120)

    plan = make_plan(meaning.Configuration(keys=(key,)), EMPTY, Choices(), ("d",))

    assert [line for line in plan.lines() if line[0] == "!"] == [
        "! users[0].token: so short that it can be guessed: replace it soon",
        "! users[0].name: cut to its first 100 characters",
    ]


def test_no_token_is_ever_told() -> None:
    told = f"{KEY} {SERVER} {lines(on(token=Secret('sesame')), EMPTY)}"

    assert "sk-0123" not in told
    assert "sesame" not in told
