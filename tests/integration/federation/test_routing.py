"""Settings of a model's routing: who may see and change them, what is refused, and how they are kept."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils.translation import override

from federation.catalogue.enums import SETTING_LABELS, SETTING_TEXTS
from federation.catalogue.models import AIModel, RoutingPolicy
from federation.catalogue.operations.routing import set_routing
from federation.journal.models import AuditEvent
from federation.people.models import User
from routing.core.enums import RoutingSetting
from tests.integration.federation.test_commands import refused, run
from tests.support.factories import OPERATOR, Cast, make_model
from tests.support.lifecycle import retire
from tests.support.pages import signed_in_as

GIVEN: dict[str, Any] = {
    "setting": "least-busy-requeue",
    "share_p4": 10,
    "share_p3": 10,
    "share_p2": 5,
    "share_p1": 5,
    "longest_wait": 120,
    "forward_priority": "on",
    "seen": 0,
}
SEEN = {"admin": 200, "auditor": 200}
"""What the page answers to those who may see it; 403 to everybody else."""


@pytest.fixture
def model(cast: Cast) -> AIModel:
    return make_model("mistral/small")


def policy(model: AIModel) -> RoutingPolicy:
    return RoutingPolicy.objects.current_of(model)


def post(user: User, model: AIModel, **changes: Any) -> tuple[int, str]:
    """Send the form; return the status and the page that follows."""
    form = {name: value for name, value in {**GIVEN, **changes}.items() if value is not None}
    address = f"/routing/{model.slug}/"
    browser = signed_in_as(user)
    answer = browser.post(address, form, follow=True, headers={"accept-language": "en"})
    return answer.status_code, answer.content.decode()


def test_a_model_begins_with_the_usual_settings_as_no_version_at_all(model: AIModel) -> None:
    usual = policy(model)

    assert (usual.number, usual.setting) == (0, RoutingSetting.AFFINITY)
    assert not RoutingPolicy.objects.exists()


def test_each_change_is_a_version_and_the_last_is_in_force(model: AIModel) -> None:
    for seconds in (10, 20, 30):
        set_routing(by=OPERATOR, model=model, settings={"longest_wait": seconds})

    rows = RoutingPolicy.objects.order_by("number").values_list("number", "longest_wait", "current")
    assert list(rows) == [(1, 10, False), (2, 20, False), (3, 30, True)]


def test_what_is_not_named_stays_and_the_journal_names_what_changed(model: AIModel) -> None:
    set_routing(by=OPERATOR, model=model, settings={"share_p1": 9, "longest_wait": 60})
    set_routing(by=OPERATOR, model=model, settings={"longest_wait": None})

    assert (policy(model).share_p1, policy(model).longest_wait) == (9, None)
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert event.verb == "catalogue.set_routing"
    assert event.diff == {"model": str(model.pk), "longest_wait": [60, None]}


def test_the_same_again_is_no_change(model: AIModel) -> None:
    set_routing(by=OPERATOR, model=model, settings={"longest_wait": 60})
    before = AuditEvent.objects.count()

    again = set_routing(by=OPERATOR, model=model, settings={"longest_wait": 60})

    assert again.number == RoutingPolicy.objects.count() == 1
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"setting": "nearest"}, "setting"),
        ({"share_p1": 0}, "share_p1"),
        ({"share_p2": -5}, "share_p2"),
        ({"share_p3": 91}, "share_p3"),
        ({"share_p4": 81}, "__all__"),
        ({"longest_wait": 0}, "longest_wait"),
        ({"longest_wait": 3601}, "longest_wait"),
        ({"longest_wait": "soon"}, "longest_wait"),
    ],
)
def test_what_is_no_setting_is_refused_by_its_field(
    model: AIModel, settings: Any, field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        set_routing(by=OPERATOR, model=model, settings=settings)

    assert list(refusal.value.message_dict) == [field]
    assert policy(model).number == 0


def test_a_retired_model_is_routed_no_more(model: AIModel) -> None:
    retire(model)

    with pytest.raises(ValidationError) as refusal:
        set_routing(by=OPERATOR, model=model, settings={"longest_wait": 60})

    assert refusal.value.code == "retired"


def test_two_who_change_the_same_version_do_not_undo_each_other(cast: Cast, model: AIModel) -> None:
    set_routing(by=cast.admin, model=model, settings={"longest_wait": 60}, seen=0)

    with pytest.raises(ValidationError) as refusal:
        set_routing(by=cast.admin, model=model, settings={"longest_wait": 90}, seen=0)

    assert refusal.value.code == "changed_meanwhile"
    assert policy(model).longest_wait == 60


# The page


@pytest.mark.usefixtures("plain_static")
def test_administrators_change_it_and_auditors_read_it(cast: Cast, model: AIModel) -> None:
    for name, person in cast.people().items():
        answer = signed_in_as(person).get("/routing/mistral/small/")
        assert answer.status_code == SEEN.get(name, 403), name
        if answer.status_code == 200:
            assert ('<form method="post" class="card' in answer.content.decode()) == (
                name == "admin"
            )
    assert Client().get("/routing/mistral/small/").status_code == 302


@pytest.mark.usefixtures("plain_static")
def test_only_an_administrator_s_form_is_taken(cast: Cast, model: AIModel) -> None:
    for name, person in cast.people().items():
        if name != "admin":
            assert post(person, model)[0] == 403, name
    assert policy(model).number == 0
    with pytest.raises(PermissionDenied):
        set_routing(by=cast.auditor, model=model, settings={"longest_wait": 9})

    status, page = post(cast.admin, model)

    made = policy(model)
    assert status == 200
    assert "Version 1 is in force within a second." in page
    assert (made.setting, made.longest_wait, made.forward_priority) == (
        "least-busy-requeue", 120, True,
    )  # fmt: skip
    assert list(made.shares.values()) == [10, 10, 5, 5]
    assert made.set_by == cast.admin


@pytest.mark.usefixtures("plain_static")
def test_the_page_explains_every_setting_and_shows_the_versions(cast: Cast, model: AIModel) -> None:
    post(cast.admin, model)
    set_routing(by=OPERATOR, model=model, settings={"setting": RoutingSetting.ROUND_ROBIN})

    page = signed_in_as(cast.admin).get("/routing/mistral/small/").content.decode()

    assert page.count('type="radio"') == len(SETTING_LABELS) == len(SETTING_TEXTS)
    assert "checked" in page.split('value="round-robin"')[1].split(">")[0]
    assert cast.admin.name in page
    assert page.count('<th scope="row">') == 2


@pytest.mark.usefixtures("plain_static")
@pytest.mark.parametrize(
    "changes",
    [
        {"setting": "nearest"},
        {"setting": None},
        {"share_p1": "x"},
        {"share_p4": 80},
        {"share_p2": 10**30},
        {"longest_wait": "-1"},
        {"longest_wait": "1e9"},
        {"seen": 7},
    ],
)
def test_a_wrong_form_says_why_and_writes_nothing(
    cast: Cast, model: AIModel, changes: dict[str, Any]
) -> None:
    status, page = post(cast.admin, model, **changes)

    assert status == 200
    assert 'role="alert"' in page
    assert policy(model).number == 0


@pytest.mark.parametrize("language", ["fr", "en"])
def test_shares_that_leave_nothing_are_refused_in_a_sentence(model: AIModel, language: str) -> None:
    """Django formats a constraint's message: a per cent sign in it, in any language, would break it."""
    with override(language), pytest.raises(ValidationError) as refusal:
        set_routing(by=OPERATOR, model=model, settings={"share_p4": 85})

    (text,) = refusal.value.messages
    assert "90 p" in text
    assert "{" not in text


@pytest.mark.usefixtures("plain_static")
def test_the_same_settings_again_are_told_to_be_none(cast: Cast, model: AIModel) -> None:
    post(cast.admin, model)

    _, page = post(cast.admin, model, seen=1)

    assert "nothing was changed" in page
    assert policy(model).number == 1


@pytest.mark.usefixtures("plain_static")
def test_a_model_that_is_none_is_not_found(cast: Cast) -> None:
    assert signed_in_as(cast.admin).get("/routing/nothing/").status_code == 404


# The command


def test_the_command_changes_what_is_named_and_shows_every_version(model: AIModel) -> None:
    assert run("set_routing", "Mistral/Small") == (
        "mistral/small version 0 (in force): affinity; at least P4 5% P3 5% P2 3% P1 2%; "
        "longest wait the router's; class told to vLLM: no\n"
    )

    run("set_routing", "mistral/small", "--setting=round-robin", "--longest-wait=60")
    run("set_routing", "mistral/small", "--longest-wait=router", "--forward-priority=yes")

    lines = run("set_routing", "mistral/small").splitlines()
    assert lines == [
        "mistral/small version 2 (in force): round-robin; at least P4 5% P3 5% P2 3% P1 2%; "
        "longest wait the router's; class told to vLLM: yes",
        "mistral/small version 1: round-robin; at least P4 5% P3 5% P2 3% P1 2%; "
        "longest wait 60 s; class told to vLLM: no",
    ]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("nothing", "--longest-wait=5"), "nothing"),
        (("mistral/small", "--setting=nearest"), "nearest"),
        (("mistral/small", "--share-p1=0"), "share_p1"),
        (("mistral/small", "--share-p4=89"), "90 per cent"),
        (("mistral/small", "--longest-wait=-1"), "--longest-wait"),
        (("mistral/small", "--longest-wait=soon"), "--longest-wait"),
        (("mistral/small", "--longest-wait=99999999999"), "longest_wait"),
    ],
)
def test_the_command_refuses_in_a_line_that_names_the_option(
    model: AIModel, words: tuple[str, ...], named: str
) -> None:
    assert named in refused("set_routing", *words)
    assert policy(model).number == 0


# Coming from the version before
