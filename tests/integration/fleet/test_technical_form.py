"""The technical form as an IT department fills it in: kept, refused with reasons, handed in, changed."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from federation.catalogue.models import Proposal
from federation.fleet.enums import FormState, RunState
from federation.fleet.models import (
    ClientCertificate,
    ConformityRun,
    GuestRules,
    InferenceServer,
    Site,
    TechnicalForm,
)
from federation.fleet.operations.credentials import current_credential
from federation.fleet.operations.egress import grant_egress
from federation.fleet.operations.networks import Wish, ask_site_egress
from federation.fleet.operations.runs import conclude_run, request_run
from federation.fleet.operations.technical import submit_form
from federation.journal.actors import SYSTEM
from federation.journal.models import AuditEvent
from routing.bridge.table import build_names, build_servers
from routing.core.conformity import Finding
from routing.core.enums import LifecycleStage, ServerState
from tests.integration.federation.world import lined, make_checked, make_form
from tests.support.certificates import Authority
from tests.support.factories import OPERATOR, Cast, make_model, make_site
from tests.support.lifecycle import retire
from tests.support.pages import signed_in_as

NEW = "/servers/new/"
KEY = "sk-the-key-of-the-server"


@pytest.fixture
def whole(cast: Cast) -> dict[str, Any]:
    """What a browser sends when everything is filled in."""
    return {
        "server_name": "GPU-9",
        "engine": "vllm",
        "base_url": "https://gpu-9.univ-rennes.example/v1",
        "key": KEY,
        "model": str(make_model().pk),
        "served_name": "mistral-small",
        "quantisation": "",
        "context_length": "32768",
        "modalities": ["chat"],
        "tools": "on",
        "json_schema": "on",
        "site": str(make_site(cast.rennes).pk),
        "max_parallel": "8",
        "reserved_share": "25",
        "availability": "always",
        "week-TOTAL_FORMS": "0",
        "week-INITIAL_FORMS": "0",
    }


def test_what_is_handed_in_is_a_submitted_server_that_the_router_knows_nothing_of(
    cast: Cast, whole: dict[str, Any]
) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(NEW, whole)

    server = InferenceServer.objects.get()
    assert answer.headers["location"] == f"/servers/{server.pk}/"
    assert (server.state, server.base_url) == ("submitted", "https://gpu-9.univ-rennes.example")
    assert server.registered_by == cast.rennes_dsi
    key = current_credential(server)
    assert key is not None
    assert key.reveal() == KEY
    assert build_servers(1).servers == {}
    assert [model.deployments for model in build_names(1).names.models.values()] == [()]
    rules = GuestRules.objects.get(server=server)
    assert [line["most"] for line in rules.hours] == [6]
    run = ConformityRun.objects.get()
    assert (run.state, run.trigger, run.asked_by) == ("queued", "submission", cast.rennes_dsi)
    assert "fleet.submit_form" in AuditEvent.objects.values_list("verb", flat=True)


def test_what_only_a_conversation_needs_is_not_declared_without_one(
    cast: Cast, whole: dict[str, Any]
) -> None:
    """The page hides the two boxes then, ticked or not."""
    signed_in_as(cast.rennes_dsi).post(NEW, {**whole, "modalities": ["embeddings"]})

    form = TechnicalForm.objects.get()
    assert (form.tools, form.json_schema) == (False, False)


def test_the_journal_says_who_put_a_form_s_model_on_its_server_and_took_it_off(
    cast: Cast, whole: dict[str, Any]
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(NEW, whole)
    form = TechnicalForm.objects.get()
    changed = {**whole, "served_name": "another-name", "key": "", "number": form.number}

    browser.post(f"/servers/forms/{form.pk}/", changed)

    for verb, acts in (("fleet.deploy_model", 2), ("fleet.retire_deployment", 1)):
        told = AuditEvent.objects.filter(verb=verb).values_list("actor_pseudonym", flat=True)
        assert list(told) == [cast.rennes_dsi.pseudonym] * acts


def test_the_access_key_is_sealed_and_on_no_page(cast: Cast, whole: dict[str, Any]) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(NEW, {**whole, "draft": "1"})
    draft = TechnicalForm.objects.get()
    assert draft.sealed_key
    assert KEY not in draft.sealed_key

    page = browser.get(f"/servers/forms/{draft.pk}/").content.decode()
    assert KEY not in page
    assert draft.sealed_key not in page
    browser.post(f"/servers/forms/{draft.pk}/", {**whole, "key": "", "number": draft.number})

    server = InferenceServer.objects.get()
    kept = current_credential(server)
    assert kept is not None
    assert kept.reveal() == KEY
    assert TechnicalForm.objects.get().sealed_key == ""
    assert KEY not in browser.get(f"/servers/{server.pk}/").content.decode()


def test_a_draft_may_lack_nearly_everything_and_is_found_again(cast: Cast) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    lines = {"week-TOTAL_FORMS": "0", "week-INITIAL_FORMS": "0"}

    answer = browser.post(NEW, {"server_name": "GPU-9", "draft": "1", **lines})

    draft = TechnicalForm.objects.get()
    assert answer.headers["location"] == f"/servers/forms/{draft.pk}/"
    assert f"/servers/forms/{draft.pk}/" in browser.get(NEW).content.decode()
    assert draft.state == FormState.DRAFT
    assert not InferenceServer.objects.exists()


def test_a_form_that_is_handed_in_says_what_is_missing_and_keeps_the_rest(cast: Cast) -> None:
    sent = {"server_name": "GPU-9", "week-TOTAL_FORMS": "0", "week-INITIAL_FORMS": "0"}

    page = signed_in_as(cast.rennes_dsi).post(NEW, sent).content.decode()

    assert 'value="GPU-9"' in page
    for field in ("engine", "base_url", "served_name", "context_length"):
        assert f'id="id_{field}_error"' in page
    assert not TechnicalForm.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "http://user:secret@gpu.example.org"),
        ("base_url", "http://2130706433/"),
        ("base_url", "javascript:alert(1)"),
        ("base_url", "https://gpu.example.org/?x=1"),
        ("base_url", "https://gpu .example.org"),
        ("engine", "steam"),
        ("context_length", "0"),
        ("context_length", "99999999999"),
        ("modalities", ["telepathy"]),
        ("site", "not an id"),
        ("model", "0192aaaa-0000-7000-8000-000000000000"),
        ("reserved_share", "100"),
        ("max_parallel", ""),
        ("availability", "sometimes"),
        ("server_name", "x" * 101),
        ("key", "x" * 501),
        ("gpu_count", "-1"),
        ("site_pue", "0.5"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_half_done(
    cast: Cast, whole: dict[str, Any], field: str, value: object
) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(NEW, {**whole, field: value})

    assert answer.status_code == 200
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not InferenceServer.objects.exists()
    assert not ConformityRun.objects.exists()


def test_neither_a_model_nor_a_proposal_is_too_little(cast: Cast, whole: dict[str, Any]) -> None:
    answer = signed_in_as(cast.rennes_dsi).post(NEW, {**whole, "model": ""})

    assert 'id="id_model_error"' in answer.content.decode()


def test_a_model_may_be_proposed_and_is_served_to_nobody_yet(
    cast: Cast, whole: dict[str, Any]
) -> None:
    proposal = {"model": "", "proposed_model": "lucie-7b"}
    signed_in_as(cast.rennes_dsi).post(NEW, {**whole, **proposal})

    deployment = InferenceServer.objects.get().deployments.get()
    assert deployment.version.model.slug == "lucie-7b"
    assert deployment.version.model.stage == LifecycleStage.PROPOSED
    assert not Proposal.objects.exists(), "its server was not reached yet"
    assert "lucie-7b" not in signed_in_as(cast.admin).get("/lifecycle/proposals/").content.decode()

    run = ConformityRun.objects.get()
    conclude_run(by=SYSTEM, run=lined(run, connection=Finding.UNKNOWN_NAME))
    assert not Proposal.objects.exists()
    again = request_run(by=cast.rennes_dsi, server=InferenceServer.objects.get())
    conclude_run(by=SYSTEM, run=lined(again, model=Finding.NOT_LISTED))

    proposal_made = Proposal.objects.get()
    assert (proposal_made.model, proposal_made.proposed_by, proposal_made.institution) == (
        deployment.version.model,
        cast.rennes_dsi,
        cast.rennes,
    )


def test_a_retired_model_is_no_model_to_serve(cast: Cast, whole: dict[str, Any]) -> None:
    retire(make_model("gone-7b"))
    page = signed_in_as(cast.rennes_dsi).post(
        NEW, {**whole, "model": "", "proposed_model": "Gone-7B"}
    )

    assert page.status_code == 200
    assert not InferenceServer.objects.exists()


def test_a_new_site_comes_with_the_form(cast: Cast, whole: dict[str, Any]) -> None:
    site = {"site": "", "site_name": "Salle B", "site_pue": "1.35", "site_labels": ["HDS"]}
    signed_in_as(cast.rennes_dsi).post(NEW, {**whole, **site})

    made = InferenceServer.objects.get().site
    assert (made.name, str(made.pue), made.institution) == ("Salle B", "1.35", cast.rennes)
    assert made.labels == [], "whoever gains by a label does not give it: the approver does"


def test_a_new_site_with_the_name_of_one_that_is_there_is_chosen_instead(
    cast: Cast, whole: dict[str, Any]
) -> None:
    known = Site.objects.get(pk=whole["site"])
    sent = {**whole, "site": "", "site_name": f" {known.name.upper()} "}
    browser = signed_in_as(cast.rennes_dsi)

    page = browser.post(NEW, sent)

    text = page.content.decode().replace("\u00a0", " ")
    assert f"« {known.name} » fait déjà partie de vos sites" in text
    assert f'<option value="{known.pk}" selected>' in text
    assert not InferenceServer.objects.exists()
    browser.post(NEW, {**sent, "site": page.context["form"]["site"].value()})
    assert InferenceServer.objects.get().site == known


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("169.254.169.254", "service de métadonnées"),
        ("169.254.1.1", "lien local"),
        ("0.0.0.0", "l’adresse d’aucune machine"),
        ("[fe80::1]", "lien local"),
        ("224.0.0.1", "multidiffusion"),
        ("198.51.100.7", "réservée"),
    ],
)
def test_an_address_that_is_never_reached_is_refused_with_the_form(
    cast: Cast, whole: dict[str, Any], host: str, told: str
) -> None:
    sent = {**whole, "base_url": f"https://{host}", "site": "", "site_name": "Salle C"}

    page = signed_in_as(cast.rennes_dsi).post(NEW, sent).content.decode()

    assert 'id="id_base_url_error"' in page
    assert told in page
    assert not InferenceServer.objects.exists()
    assert not Site.objects.filter(name="Salle C").exists()


def test_the_site_of_another_institution_is_refused(cast: Cast, whole: dict[str, Any]) -> None:
    foreign = str(make_site(cast.reims).pk)

    answer = signed_in_as(cast.rennes_dsi).post(NEW, {**whole, "site": foreign})

    assert 'id="id_site_error"' in answer.content.decode()


def test_of_two_who_edit_one_draft_the_second_is_told_and_loses_nothing(
    cast: Cast, whole: dict[str, Any]
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(NEW, {**whole, "draft": "1"})
    draft = TechnicalForm.objects.get()
    address, seen = f"/servers/forms/{draft.pk}/", {"draft": "1", "number": draft.number}
    browser.post(address, {**whole, **seen, "server_name": "GPU-10"})

    page = browser.post(address, {**whole, **seen, "server_name": "GPU-11"})

    text = page.content.decode().replace("\u00a0", " ")
    assert 'value="GPU-11"' in text
    assert "Enregistré entre-temps : « GPU-10 »" in text
    assert set(page.context["form"].errors) == {"__all__", "server_name"}
    assert TechnicalForm.objects.get().server_name == "GPU-10"

    again = {**whole, "draft": "1", "number": page.context["number"], "server_name": "GPU-11"}
    browser.post(address, again)
    assert TechnicalForm.objects.get().server_name == "GPU-11"


@pytest.mark.parametrize("who", ["rennes_user", "auditor", "orleans_user", "intruder"])
def test_nobody_else_lends_servers(cast: Cast, who: str) -> None:
    assert signed_in_as(cast.people()[who]).get(NEW).status_code == 403


def test_anothers_draft_is_not_there(cast: Cast, whole: dict[str, Any]) -> None:
    signed_in_as(cast.rennes_dsi).post(NEW, {**whole, "draft": "1"})
    address = f"/servers/forms/{TechnicalForm.objects.get().pk}/"

    for who in ("reims_dsi", "rennes_user", "orleans_user", "intruder"):
        assert signed_in_as(cast.people()[who]).get(address).status_code == 404


def test_another_address_sends_a_live_server_back_and_ends_its_permissions(cast: Cast) -> None:
    form = make_checked(make_form(cast.rennes, make_site(cast.rennes), make_model()))
    server = form.server
    assert server is not None
    grant_egress(by=OPERATOR, server=server, address="10.0.0.7", port=8000, reason="VPN")
    InferenceServer.objects.update(state=ServerState.LIVE)
    TechnicalForm.objects.update(state=FormState.ACCEPTED)
    sent = {
        "server_name": "GPU-9",
        "engine": "vllm",
        "base_url": "https://elsewhere.example.org",
        "model": str(form.model_id),
        "served_name": "mistral-small",
        "context_length": "32768",
        "modalities": ["chat"],
        "site": str(form.site_id),
        "availability": "always",
        "number": form.number,
        "week-TOTAL_FORMS": "0",
        "week-INITIAL_FORMS": "0",
    }

    signed_in_as(cast.rennes_dsi).post(f"/servers/forms/{form.pk}/", sent)

    server.refresh_from_db()
    assert server.state == ServerState.STAGING
    assert server.base_url == "https://elsewhere.example.org"
    assert not server.egress_grants.in_force().exists()
    assert TechnicalForm.objects.get().state == FormState.SUBMITTED
    assert server.runs.open().count() == 1


def test_a_change_that_no_report_is_about_leaves_a_live_server_in_service(cast: Cast) -> None:
    form = make_checked(make_form(cast.rennes, make_site(cast.rennes), make_model()))
    InferenceServer.objects.update(state=ServerState.LIVE)
    TechnicalForm.objects.update(state=FormState.ACCEPTED)
    sent = {
        **{"server_name": "GPU-neuf", "engine": "vllm", "served_name": "mistral-small"},
        **{"base_url": "https://gpu-9.example.org", "model": str(form.model_id)},
        **{"context_length": "32768", "modalities": ["chat"], "site": str(form.site_id)},
        **{
            "gpu_type": "H200",
            "availability": "always",
            "week-TOTAL_FORMS": "0",
            "week-INITIAL_FORMS": "0",
        },
    }

    signed_in_as(cast.rennes_dsi).post(f"/servers/forms/{form.pk}/", sent)

    server = InferenceServer.objects.get()
    assert (server.state, server.name) == (ServerState.LIVE, "GPU-neuf")
    assert TechnicalForm.objects.get().gpu_type == "H200"


def test_a_form_is_handed_in_once(cast: Cast) -> None:
    draft = make_form(cast.rennes, make_site(cast.rennes), make_model())
    submit_form(by=cast.rennes_dsi, form=draft)

    with pytest.raises(ValidationError):
        submit_form(by=cast.rennes_dsi, form=draft)
    assert InferenceServer.objects.count() == 1


def test_what_is_under_way_when_the_declaration_changes_is_no_longer_heard(cast: Cast) -> None:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    server = submit_form(by=OPERATOR, form=form)
    ConformityRun.objects.update(state=RunState.RUNNING, attempt=1)
    row = TechnicalForm.objects.get()
    sent = {
        **{"server_name": "GPU-9", "engine": "vllm", "served_name": "other-name"},
        **{"base_url": "https://gpu-9.example.org", "model": str(row.model_id)},
        **{"context_length": "32768", "modalities": ["chat"], "site": str(row.site_id)},
        **{"availability": "always", "week-TOTAL_FORMS": "0", "week-INITIAL_FORMS": "0"},
    }

    signed_in_as(cast.rennes_dsi).post(f"/servers/forms/{form.pk}/", sent)

    assert sorted(server.runs.values_list("state", flat=True)) == ["broken", "queued"]
    assert server.deployments.live().get().served_name == "other-name"


def test_a_port_on_which_nobody_is_reached_is_refused_with_the_way_out(
    cast: Cast, whole: dict[str, Any]
) -> None:
    browser = signed_in_as(cast.rennes_dsi)
    sent = {**whole, "base_url": "https://gpu-9.univ-rennes.example:22"}

    page = browser.post(NEW, sent).content.decode()
    assert 'id="id_base_url_error"' in page
    assert "8000-8099" in page
    assert not InferenceServer.objects.exists()

    site = Site.objects.get(pk=whole["site"])
    ask_site_egress(by=OPERATOR, site=site, wish=Wish("10.2.0.0/24", (22,), "a tunnel"))
    draft = TechnicalForm.objects.get()
    browser.post(f"/servers/forms/{draft.pk}/", {**sent, "number": draft.number})
    assert InferenceServer.objects.get().base_url.endswith(":22")


def test_certificates_of_the_form_are_the_servers(
    cast: Cast, whole: dict[str, Any], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    identity = authority.identity("router.ilaas.test")
    sent = {
        **whole,
        "ca_bundle": authority.pem,
        "client_chain": identity.chain,
        "client_key": identity.key.reveal(),
    }
    browser = signed_in_as(cast.rennes_dsi)
    browser.post(NEW, {**sent, "draft": "1"})
    draft = TechnicalForm.objects.get()
    assert identity.key.reveal() not in draft.sealed_client_key
    page = browser.get(f"/servers/forms/{draft.pk}/").content.decode()
    assert "router.ilaas.test" in page
    assert "PRIVATE KEY-----\n" not in page

    kept = {**whole, "ca_bundle": authority.pem, "number": draft.number}
    browser.post(f"/servers/forms/{draft.pk}/", kept)

    server = InferenceServer.objects.get()
    assert server.ca_bundle == authority.pem
    assert ClientCertificate.objects.get(server=server).chain == identity.chain
    assert TechnicalForm.objects.get().sealed_client_key == ""


def test_a_draft_is_thrown_away_and_what_is_handed_in_is_not(cast: Cast) -> None:
    draft = make_form(cast.rennes, make_site(cast.rennes), make_model())
    handed_in = make_form(cast.rennes, make_site(cast.rennes, name="b"), make_model("b"))
    submit_form(by=cast.rennes_dsi, form=handed_in)
    browser = signed_in_as(cast.rennes_dsi)

    page = browser.get(f"/servers/forms/{draft.pk}/").content.decode()
    for form in (draft, handed_in):
        browser.post(f"/servers/forms/{form.pk}/discard/")

    assert f'action="/servers/forms/{draft.pk}/discard/"' in page
    assert list(TechnicalForm.objects.all()) == [handed_in]
    assert AuditEvent.objects.filter(verb="fleet.discard_draft").count() == 1
