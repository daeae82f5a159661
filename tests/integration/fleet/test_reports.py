"""What follows from a report: into staging, out of service, told by mail; who decides, and who may not."""

from datetime import timedelta
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from federation.catalogue.models import AIModel, StageChange
from federation.fleet.enums import FormState, RunState, RunTrigger
from federation.fleet.models import (
    ConformityLine,
    ConformityRun,
    Deployment,
    InferenceServer,
    TechnicalForm,
)
from federation.fleet.operations.runs import conclude_run, request_run
from federation.fleet.operations.servers import change_server_state
from federation.fleet.operations.technical import (
    accept_form,
    decline_form,
    revise_form,
    submit_form,
)
from federation.fleet.report_words import ADVICE, CHECK_LABELS, FOUND
from federation.fleet.reports import report_lines
from federation.fleet.tasks import check_live_servers
from federation.journal.actors import SYSTEM
from federation.people.enums import Role
from federation.people.models import User
from federation.people.operations import grant_role
from routing.core.conformity import CHECKS, Check, Finding, RunKind
from routing.core.enums import LifecycleStage, ServerState
from tests.integration.federation.world import declare_checked, lined, make_checked, make_form
from tests.support.factories import OPERATOR, Cast, make_model, make_site, make_user
from tests.support.pages import signed_in_as
from tests.support.post import deliver


@pytest.fixture
def submitted(cast: Cast) -> InferenceServer:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    return submit_form(by=cast.rennes_dsi, form=form)


@pytest.fixture
def checked(cast: Cast) -> TechnicalForm:
    return make_checked(make_form(cast.rennes, make_site(cast.rennes), make_model()))


def test_a_green_report_leads_to_staging_and_to_the_prompts(submitted: InferenceServer) -> None:
    conclude_run(by=SYSTEM, run=lined(submitted.runs.get()))

    submitted.refresh_from_db()
    assert submitted.state == ServerState.STAGING
    assert TechnicalForm.objects.get().state == FormState.CHECKED
    replay = submitted.runs.get(kind=RunKind.REPLAY)
    assert replay.state == RunState.QUEUED


def test_a_red_line_keeps_a_server_where_it_is(submitted: InferenceServer) -> None:
    run = conclude_run(by=SYSTEM, run=lined(submitted.runs.get(), model=Finding.NOT_LISTED))

    submitted.refresh_from_db()
    assert run.state == RunState.FAILED
    assert submitted.state == ServerState.SUBMITTED


def test_a_report_that_lacks_lines_says_nothing_of_the_server(submitted: InferenceServer) -> None:
    run = lined(submitted.runs.get())
    ConformityLine.objects.filter(check_name=Check.PEERS).delete()

    assert conclude_run(by=SYSTEM, run=run).state == RunState.BROKEN
    submitted.refresh_from_db()
    assert submitted.state == ServerState.SUBMITTED


def test_who_has_registered_a_server_does_not_put_it_into_service(
    cast: Cast, checked: TechnicalForm
) -> None:
    grant_role(by=OPERATOR, user=cast.rennes_dsi, role=Role.FEDERATION_ADMIN)
    dsi = type(cast.rennes_dsi).objects.get(pk=cast.rennes_dsi.pk)
    InferenceServer.objects.update(registered_by=dsi)
    TechnicalForm.objects.update(filled_by=dsi)

    with pytest.raises(ValidationError) as refused:
        accept_form(by=dsi, form=checked)
    assert refused.value.code == "own_server"
    accept_form(by=cast.admin, form=checked)

    assert InferenceServer.objects.get().state == ServerState.LIVE
    assert TechnicalForm.objects.get().state == FormState.ACCEPTED


def test_who_has_changed_what_is_declared_does_not_put_it_into_service_until_it_was_accepted(
    cast: Cast, checked: TechnicalForm
) -> None:
    server, address = checked.server, {"base_url": "https://elsewhere.example.org"}
    assert server is not None
    revise_form(by=cast.admin, form=checked, fields=address)
    declare_checked(server)

    for decide in (accept_form, partial(decline_form, reason="no")):
        with pytest.raises(ValidationError) as refused:
            decide(by=cast.admin, form=checked)
        assert refused.value.code == "own_server"
    page = signed_in_as(cast.admin).get(f"/servers/{server.pk}/").content.decode()
    assert "/accept/" not in page
    assert "une autre personne qui administre la fédération" in page

    other = make_user("other_admin", Role.FEDERATION_ADMIN)
    accept_form(by=other, form=checked)
    revise_form(by=cast.rennes_dsi, form=checked, fields={"context_length": 16384})
    declare_checked(server)
    accept_form(by=cast.admin, form=checked)
    assert InferenceServer.objects.get().state == ServerState.LIVE


def test_only_what_is_green_goes_into_service(cast: Cast, checked: TechnicalForm) -> None:
    assert checked.server is not None
    run = request_run(by=OPERATOR, server=checked.server)
    for state in (None, RunState.FAILED):
        if state:
            conclude_run(by=SYSTEM, run=lined(run, tools=Finding.NO_CALL))
        with pytest.raises(ValidationError) as refused:
            change_server_state(by=cast.admin, server=checked.server, state=ServerState.LIVE)
        assert refused.value.code == "report"


def test_a_server_goes_into_service_and_its_proposed_model_waits_for_the_committee(
    cast: Cast, checked: TechnicalForm
) -> None:
    model = Deployment.objects.get().version.model
    type(model).objects.update(stage=LifecycleStage.PROPOSED)

    server = accept_form(by=cast.admin, form=checked)

    model.refresh_from_db()
    assert server.state == ServerState.LIVE
    assert model.stage == LifecycleStage.PROPOSED


def test_server_and_model_go_into_service_by_one_decision_that_was_made_elsewhere(
    cast: Cast, checked: TechnicalForm
) -> None:
    server = checked.server
    assert server is not None
    model = AIModel.objects.get(versions__deployments__server=server)
    AIModel.objects.filter(pk=model.pk).update(stage=LifecycleStage.PROPOSED)
    address, browser = f"/servers/{server.pk}/accept/", signed_in_as(cast.admin)

    browser.post(address, {"reason": " "})
    server.refresh_from_db()
    assert server.state == ServerState.STAGING
    browser.post(address, {"reason": "Comité du 3 novembre"})

    server.refresh_from_db()
    model.refresh_from_db()
    assert (server.state, model.stage) == (ServerState.LIVE, LifecycleStage.PRODUCTION)
    told = StageChange.objects.filter(model=model).order_by("pk").values_list("after", "reason")
    assert list(told)[-2:] == [("staging", "Comité du 3 novembre"), ("production", "")]


def test_the_approver_gives_the_labels_that_a_new_site_asked_for(
    cast: Cast, checked: TechnicalForm
) -> None:
    TechnicalForm.objects.update(site_labels=["HDS"])
    page = signed_in_as(cast.admin).get(f"/servers/{checked.server_id}/")
    assert "Labels demandés" in page.content.decode()

    accept_form(by=cast.admin, form=checked)

    assert InferenceServer.objects.get().site.labels == ["HDS"]


def test_who_may_put_it_into_service_is_told_when_both_reports_are_green(
    cast: Cast,
    checked: TechnicalForm,
) -> None:
    assert checked.server is not None
    replay = request_run(
        by=SYSTEM, server=checked.server, kind=RunKind.REPLAY, trigger=RunTrigger.PERSON
    )
    deliver()

    conclude_run(by=SYSTEM, run=lined(replay))

    (told,) = deliver()
    assert told.to == [cast.admin.email]
    assert f"/servers/{checked.server_id}/" in told.body


@pytest.fixture
def live(cast: Cast, checked: TechnicalForm) -> InferenceServer:
    server = accept_form(by=cast.admin, form=checked)
    deliver()
    return server


def night(server: InferenceServer) -> ConformityRun:
    return server.runs.filter(trigger=RunTrigger.NIGHT, state=RunState.QUEUED).get()


def test_a_server_that_fails_twice_in_a_night_goes_back_and_its_owner_is_told(
    live: InferenceServer,
) -> None:
    check_live_servers()
    check_live_servers()
    conclude_run(by=SYSTEM, run=lined(night(live), context=Finding.WINDOW_CUT))
    live.refresh_from_db()
    assert live.state == ServerState.LIVE
    second = night(live)
    assert second.due_at > timezone.now() + timedelta(minutes=5)

    conclude_run(by=SYSTEM, run=lined(second, context=Finding.WINDOW_CUT))

    live.refresh_from_db()
    assert live.state == ServerState.STAGING
    assert TechnicalForm.objects.get().state == FormState.SUBMITTED
    (told,) = deliver()
    assert told.to == ["rennes_dsi@example.org"]
    assert "GPU-9" in told.subject
    assert "Fenêtre de contexte" in told.body
    assert f"/servers/{live.pk}/" in told.body


def test_one_bad_moment_sends_nobody_back(live: InferenceServer) -> None:
    check_live_servers()
    conclude_run(by=SYSTEM, run=lined(night(live), model=Finding.SERVER_ERROR))
    conclude_run(by=SYSTEM, run=lined(night(live)))

    live.refresh_from_db()
    assert live.state == ServerState.LIVE


def test_a_server_that_is_merely_full_at_night_stays(live: InferenceServer) -> None:
    for _ in range(2):
        check_live_servers()
        conclude_run(by=SYSTEM, run=lined(night(live), streaming=Finding.BUSY))

    live.refresh_from_db()
    assert live.state == ServerState.LIVE


def test_a_server_that_has_declared_nothing_is_looked_at_and_left_in_service(
    deployment: Deployment,
) -> None:
    for _ in range(2):
        check_live_servers()
        conclude_run(by=SYSTEM, run=lined(night(deployment.server), model=Finding.NOT_LISTED))

    assert InferenceServer.objects.get().state == ServerState.LIVE


def test_a_run_by_hand_that_fails_sends_no_live_server_back(live: InferenceServer) -> None:
    for _ in range(2):
        run = request_run(by=OPERATOR, server=live)
        conclude_run(by=SYSTEM, run=lined(run, tools=Finding.NO_CALL))

    live.refresh_from_db()
    assert live.state == ServerState.LIVE


def test_the_page_shows_what_was_found_and_what_to_do(
    cast: Cast, submitted: InferenceServer
) -> None:
    browser, address = signed_in_as(cast.rennes_dsi), f"/servers/{submitted.pk}/"
    waiting = browser.get(address).content.decode()
    assert 'hx-trigger="every 1s"' in waiting

    conclude_run(by=SYSTEM, run=lined(submitted.runs.get(), model=Finding.NOT_LISTED))
    page = browser.get(address).content.decode()

    assert 'hx-trigger="every 1s"' not in page
    assert "--served-model-name" in page
    assert 'data-check="model" data-verdict="failed"' in page


@pytest.mark.parametrize(
    ("check", "finding", "figures", "leads_to"),
    [
        (Check.MODEL, Finding.NOT_LISTED, {}, "/servers/forms/{form}/"),
        (Check.AUTHENTICATION, Finding.DENIED, {}, "/servers/{server}/key/"),
        (Check.TLS, Finding.CERTIFICATE, {}, "/servers/{server}/certificates/"),
        (Check.AUTHENTICATION, Finding.CUT, {}, "/servers/{server}/certificates/"),
        (Check.CONNECTION, Finding.ADDRESS_REFUSED, {"reason": "private"}, "/servers/networks/"),
        (Check.STREAMING, Finding.CUT, {}, None),
    ],
)
def test_advice_leads_to_the_page_where_it_is_followed_who_may_use_it(
    cast: Cast,
    submitted: InferenceServer,
    check: Check,
    finding: Finding,
    figures: dict[str, str],
    leads_to: str | None,
) -> None:
    run = lined(submitted.runs.get(), **{check.value: finding})
    run.lines.filter(check_name=check).update(figures=figures)
    conclude_run(by=SYSTEM, run=run)

    def link(reader: User) -> str | None:
        page = signed_in_as(reader).get(f"/servers/{submitted.pk}/")
        [report] = page.context["reports"]
        [found] = [link for line, link in report["lines"] if line.check == check]
        if found:
            assert f'<a href="{found.url}">{found.label}</a>' in page.content.decode()
        return found.url if found else None

    form = TechnicalForm.objects.get()
    wanted = leads_to and leads_to.format(form=form.pk, server=submitted.pk)
    assert link(cast.rennes_dsi) == wanted
    assert link(cast.auditor) is None


@pytest.mark.parametrize("who", ["reims_dsi", "orleans_user", "intruder"])
def test_others_find_neither_server_nor_report(
    cast: Cast, submitted: InferenceServer, who: str
) -> None:
    browser, run = signed_in_as(cast.people()[who]), submitted.runs.get()
    addresses = (f"/servers/{submitted.pk}/", f"/servers/runs/{run.pk}/")
    for address in (*addresses, f"{addresses[1]}lines/"):
        assert browser.get(address).status_code == 404
    assert browser.post(f"{addresses[0]}check/").status_code == 404
    assert browser.post(f"{addresses[0]}accept/").status_code == 404


def test_a_colleague_reads_the_report_and_changes_nothing(
    cast: Cast, submitted: InferenceServer
) -> None:
    browser, address = signed_in_as(cast.rennes_user), f"/servers/{submitted.pk}/"
    page = browser.get(address).content.decode()

    assert submitted.base_url not in page
    for step in ("check/", "accept/"):
        assert browser.post(address + step).status_code == 403
    for step in ("key/", "calendar/", "retire/", "grant/"):
        assert browser.get(address + step).status_code == 403


def test_the_queue_is_the_federations(cast: Cast, submitted: InferenceServer) -> None:
    assert signed_in_as(cast.rennes_dsi).get("/servers/approvals/").status_code == 403
    page = signed_in_as(cast.admin).get("/servers/approvals/").content.decode()
    assert f"/servers/{submitted.pk}/" in page


def test_an_administrator_allows_the_address_that_the_guard_refused(
    cast: Cast, submitted: InferenceServer
) -> None:
    run = lined(submitted.runs.get(), connection=Finding.ADDRESS_REFUSED)
    figures = {"reason": "private", "address": "10.0.0.7", "port": 8000, "grantable": 1}
    run.lines.filter(check_name=Check.CONNECTION).update(figures=figures)
    conclude_run(by=SYSTEM, run=run)
    browser, address = signed_in_as(cast.admin), f"/servers/{submitted.pk}/grant/"
    assert 'value="10.0.0.7"' in browser.get(address).content.decode()

    refused = browser.post(address, {"address": "169.254.169.254", "port": 80, "reason": "x"})
    assert refused.status_code == 200
    assert not submitted.egress_grants.exists()
    browser.post(address, {"address": "10.0.0.7", "port": 8000, "reason": "VPN"})

    assert submitted.egress_grants.in_force().count() == 1
    assert submitted.runs.open().count() == 1
    assert signed_in_as(cast.rennes_dsi).get(address).status_code == 403


def test_a_declined_server_is_retired_and_its_owner_told_why(
    cast: Cast,
    submitted: InferenceServer,
) -> None:
    signed_in_as(cast.admin).post(
        f"/servers/{submitted.pk}/decline/", {"reason": "Le certificat HDS manque."}
    )

    submitted.refresh_from_db()
    assert submitted.state == ServerState.RETIRED
    assert not submitted.runs.open().exists()
    assert "Le certificat HDS manque." in deliver()[-1].body


def test_there_are_words_for_every_check_and_every_finding() -> None:
    assert set(CHECK_LABELS) == set(Check)
    assert set(FOUND) == set(Finding)
    assert set(ADVICE) <= set(Finding)


def test_no_line_breaks_over_figures_that_are_missing(submitted: InferenceServer) -> None:
    run = submitted.runs.get()
    for check, finding in zip(CHECKS[RunKind.CONFORMITY], Finding, strict=False):
        run.lines.create(
            check_name=check, verdict="failed", finding=finding, figures={}, milliseconds=1
        )

    assert len(report_lines(run)) == len(CHECKS[RunKind.CONFORMITY])


def test_a_report_without_a_line_claims_nothing(cast: Cast, submitted: InferenceServer) -> None:
    ConformityRun.objects.filter(server=submitted).update(
        state=RunState.PASSED, ended_at=timezone.now()
    )
    run = ConformityRun.objects.get(server=submitted)

    html = signed_in_as(cast.rennes_dsi).get(reverse("run", args=[run.pk]))

    assert "<table" not in html.content.decode()
    assert "Rien n’a été vérifié" in html.content.decode()
