"""Editing the card of a model: by administrators, one after the other, within limits, told by the journal."""

from functools import partial
from typing import Any

import pytest
from django.test import Client

from federation.catalogue.enums import Capability, Category
from federation.catalogue.forms.facts import FactsForm
from federation.catalogue.models import LONGEST_DESCRIPTION, AIModel
from federation.catalogue.operations.facts import describe_model
from federation.catalogue.operations.registering import ModelFacts
from federation.journal.models import AuditEvent
from federation.people.models import User
from routing.core.enums import LifecycleStage
from tests.integration.federation.crowd import at_once
from tests.support.factories import MODEL, Cast, make_model
from tests.support.pages import signed_in_as

PAGE = f"/cards/{MODEL}/"


@pytest.fixture
def model(cast: Cast, plain_static: None) -> AIModel:
    return make_model(facts=ModelFacts(licence="MIT", capabilities=(Capability.CHAT,)))


def filled(model: AIModel, **changed: Any) -> dict[str, Any]:
    """What a browser sends of the form as it is shown, with some fields changed."""
    form = FactsForm(None, model=AIModel.objects.get(pk=model.pk))
    sent = {bound.name: "" if bound.value() is None else bound.value() for bound in form}
    languages = ", ".join(sent["languages"] or ()) if not isinstance(sent["languages"], str) else ""
    return {**sent, "languages": languages, **changed}


def post(user: User, model: AIModel, **changed: Any) -> Any:
    return signed_in_as(user).post(PAGE, filled(model, **changed))


def test_an_administrator_edits_the_card_and_everyone_reads_it(cast: Cast, model: AIModel) -> None:
    answer = post(
        cast.admin,
        model,
        display_name="Mistral Small",
        description_fr="Un modèle.",
        publisher="Mistral AI",
        publisher_url="https://mistral.example/card",
        licence_url="https://licence.example/mit",
        category=Category.AGENTIC.value,
        capabilities=["chat", "tools"],
        languages="fr, EN; de",
    )

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/catalogue/{MODEL}/")
    model.refresh_from_db()
    assert model.languages == ["fr", "en", "de"]
    assert model.capabilities == ["chat", "tools"]
    page = signed_in_as(cast.orleans_user).get(f"/catalogue/{MODEL}/").content.decode()
    for told in ("Un modèle.", 'href="https://mistral.example/card"', "agentique", "allemand"):
        assert told in page


def test_the_journal_keeps_words_of_ours_and_of_texts_only_how_long_they_are(
    cast: Cast, model: AIModel
) -> None:
    post(cast.admin, model, publisher="Camille Roux", capabilities=["chat", "tools"])

    event = AuditEvent.objects.latest("seq")
    assert event.verb == "catalogue.describe_model"
    assert event.diff == {"publisher": [0, 12], "capabilities": [["chat"], ["chat", "tools"]]}


def test_a_card_saved_as_it_was_leaves_no_trace(cast: Cast, model: AIModel) -> None:
    before = AuditEvent.objects.count()

    assert post(cast.admin, model).status_code == 302

    assert AuditEvent.objects.count() == before


def test_of_two_tabs_the_second_is_told_and_changes_nothing(cast: Cast, model: AIModel) -> None:
    first, second = filled(model, licence="Apache-2.0"), filled(model, licence="GPL-3.0")
    browser = signed_in_as(cast.admin)
    assert browser.post(PAGE, first).status_code == 302

    answer = browser.post(PAGE, second)

    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert "GPL-3.0" in answer.content.decode(), "what was typed is still there"
    assert AIModel.objects.get().licence == "Apache-2.0"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_save_at_the_same_moment_one_is_told(cast: Cast, model: AIModel) -> None:
    answers: list[int] = []

    def save(browser: Client, data: dict[str, Any]) -> None:
        answers.append(browser.post(PAGE, data).status_code)

    browsers = [signed_in_as(cast.admin) for _ in range(2)]
    sent = [filled(model, licence=name) for name in ("Apache-2.0", "GPL-3.0")]
    at_once([partial(save, *pair) for pair in zip(browsers, sent, strict=True)])

    assert sorted(answers) == [200, 302]


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": ""},
        {"display_name": "a" * 129},
        {"description_fr": "a" * (LONGEST_DESCRIPTION + 1)},
        {"publisher_url": "http://in-the-clear.example"},
        {"publisher_url": "javascript:alert(1)"},
        {"licence_url": "ftp://files.example"},
        {"licence_url": "https://"},
        {"category": "weather"},
        {"capabilities": ["fly"]},
        {"languages": "français"},
        {"languages": "fr, <b>"},
        {"languages": "fr, xx"},
        {"publisher": "a\0b"},
    ],
    ids=str,
)
def test_what_cannot_stand_on_a_card_is_refused_beside_its_field(
    cast: Cast, model: AIModel, wrong: dict[str, Any]
) -> None:
    answer = post(cast.admin, model, licence="changed", **wrong)

    assert answer.status_code == 200
    assert f'id="id_{next(iter(wrong))}_error"' in answer.content.decode()
    assert AIModel.objects.get().licence == "MIT"


def test_markup_on_a_card_stays_text(cast: Cast, model: AIModel) -> None:
    post(cast.admin, model, description_fr="<script>alert(1)</script>")

    page = signed_in_as(cast.orleans_user).get(f"/catalogue/{MODEL}/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "who", ["auditor", "rennes_dsi", "rennes_user", "reims_dsi", "orleans_user", "intruder"]
)
def test_nobody_else_opens_the_form_or_sees_the_button(
    cast: Cast, model: AIModel, who: str
) -> None:
    person = cast.people()[who]

    assert signed_in_as(person).get(PAGE).status_code == 403
    assert post(person, model, licence="mine").status_code == 403
    assert PAGE not in signed_in_as(person).get(f"/catalogue/{MODEL}/").content.decode()
    assert PAGE in signed_in_as(cast.admin).get(f"/catalogue/{MODEL}/").content.decode()


def test_a_visitor_signs_in_first(cast: Cast, model: AIModel) -> None:
    assert Client().get(PAGE).status_code == 302


def test_the_last_card_of_a_retired_model_stands(cast: Cast, model: AIModel) -> None:
    AIModel.objects.update(stage=LifecycleStage.RETIRED)

    answer = post(cast.admin, model, licence="late")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/catalogue/{MODEL}/")
    assert AIModel.objects.get().licence == "MIT"


def test_a_capability_named_twice_stands_once(cast: Cast, model: AIModel) -> None:
    facts = ModelFacts(capabilities=["chat", "chat"], languages=["fr", "fr"])

    changed = describe_model(by=cast.admin, model=model, facts=facts)

    assert (changed.capabilities, changed.languages) == (["chat"], ["fr"])


def test_another_order_of_capabilities_is_no_change(cast: Cast, model: AIModel) -> None:
    describe_model(by=cast.admin, model=model, facts=ModelFacts(capabilities=["tools", "chat"]))
    told = AuditEvent.objects.count()

    describe_model(by=cast.admin, model=model, facts=ModelFacts(capabilities=["chat", "tools"]))

    assert AuditEvent.objects.count() == told
