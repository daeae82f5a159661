"""Looking for a model: by name or words, category, capability, stage, and what was tested; in an address to share."""

import pytest

from federation.catalogue.enums import Capability, Category
from federation.catalogue.models import Alias
from federation.catalogue.operations.registering import ModelFacts
from federation.fleet.models import Deployment
from federation.people.models import User
from routing.core.conformity import Check
from routing.core.enums import LifecycleStage
from tests.support.factories import Cast, make_model, serve_model
from tests.support.findings import FAILED, WELL, make_report
from tests.support.pages import signed_in_as

CHAT, EMBEDDING, SPEECH = "chat-24b", "vectors-1b", "speech-2b"


@pytest.fixture
def catalogue(cast: Cast) -> None:
    make_model(
        CHAT,
        facts=ModelFacts(
            display_name="Chat 24B",
            publisher="Éditions du Large",
            description_fr="Pour rédiger et résumer.",
            capabilities=(Capability.CHAT, Capability.TOOLS),
            category=Category.GENERALIST,
        ),
    )
    make_model(
        EMBEDDING,
        facts=ModelFacts(capabilities=(Capability.EMBEDDINGS,), category=Category.EMBEDDING),
    )
    make_model(
        SPEECH,
        stage=LifecycleStage.STAGING,
        facts=ModelFacts(capabilities=(Capability.TRANSCRIPTION,), category=Category.SPEECH),
    )


def names(user: User, query: str) -> set[str]:
    page = signed_in_as(user).get(f"/catalogue/{query}")
    assert page.status_code == 200
    text = page.content.decode()
    return {name for name in (CHAT, EMBEDDING, SPEECH) if f"<code>{name}</code>" in text}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {CHAT, EMBEDDING, SPEECH}),
        ("?category=embedding", {EMBEDDING}),
        ("?category=speech", {SPEECH}),
        ("?capability=transcription", {SPEECH}),
        ("?capability=tools", {CHAT}),
        ("?stage=production", {CHAT, EMBEDDING}),
        ("?stage=staging&category=speech", {SPEECH}),
        ("?stage=staging&category=embedding", set()),
        ("?text=editions+LARGE", {CHAT}),
        ("?text=résumer", {CHAT}),
        ("?text=vectors", {EMBEDDING}),
        ("?text=petit-nom", {EMBEDDING}),
        ("?text=nothing+like+it", set()),
    ],
)
def test_each_filter_keeps_what_it_says(
    cast: Cast, catalogue: None, query: str, found: set[str]
) -> None:
    vectors = make_model("other", facts=ModelFacts(capabilities=()))
    Alias.objects.create(name="petit-nom", model=type(vectors).objects.get(slug=EMBEDDING))

    assert names(cast.orleans_user, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "?category=weather",
        "?capability=fly",
        "?stage=unborn",
        "?text=" + "a" * 101,
        "?text=%00",
        "?category=<script>",
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(cast: Cast, catalogue: None, query: str) -> None:
    page = signed_in_as(cast.orleans_user).get(f"/catalogue/{query}")

    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()
    assert "<script>" not in page.content.decode().split("</head>")[1].replace(
        '<script type="module"', ""
    )
    assert names(cast.orleans_user, query) == {CHAT, EMBEDDING, SPEECH}


def test_only_what_was_tested_well_everywhere_it_was_tested_is_kept(
    cast: Cast, catalogue: None
) -> None:
    deployment: Deployment = serve_model(cast.rennes, CHAT)
    assert names(cast.orleans_user, "?capability=tools&tested=on") == set()

    make_report(deployment, {Check.TOOLS: WELL})
    assert names(cast.orleans_user, "?capability=tools&tested=on") == {CHAT}
    assert names(cast.orleans_user, "?tested=on") == set(), "conversations were not tested"
    make_report(deployment, {Check.STREAMING: WELL})
    assert names(cast.orleans_user, "?tested=on") == {CHAT}

    make_report(serve_model(cast.reims, CHAT), {Check.TOOLS: FAILED})
    assert names(cast.orleans_user, "?capability=tools&tested=on") == set()


def test_a_search_without_a_result_shows_the_way_out(cast: Cast, catalogue: None) -> None:
    page = signed_in_as(cast.orleans_user).get("/catalogue/?text=zzz").content.decode()

    assert 'class="empty"' in page
    assert 'href="/catalogue/"' in page


def test_a_stage_that_the_reader_may_not_see_is_no_choice(cast: Cast, catalogue: None) -> None:
    make_model("to-come", stage=LifecycleStage.PROPOSED)

    assert 'value="proposed"' in signed_in_as(cast.admin).get("/catalogue/").content.decode()
    page = signed_in_as(cast.orleans_user).get("/catalogue/").content.decode()
    assert 'value="proposed"' not in page
