"""The pages about lending in a real browser: a report that grows by itself."""

import pytest
from playwright.sync_api import Browser, expect

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, InferenceServer
from federation.fleet.operations.runs import conclude_run
from federation.fleet.operations.technical import submit_form
from federation.journal.actors import SYSTEM
from routing.core.conformity import CHECKS, Finding, RunKind, Verdict
from tests.integration.federation.world import make_form
from tests.support.browser import Portal, Visit, looked_at, session_cookie
from tests.support.factories import Cast, make_cast, make_model, make_site


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def server(cast: Cast) -> InferenceServer:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    return submit_form(by=cast.rennes_dsi, form=form)


def write(run: ConformityRun) -> None:
    for check in CHECKS[RunKind.CONFORMITY]:
        run.lines.create(
            check_name=check,
            verdict=Verdict.OK,
            finding=Finding.FINE,
            figures={"models": 2},
            milliseconds=1234,
        )


def test_a_report_grows_line_by_line_without_a_reload(
    visit: Visit, cast: Cast, server: InferenceServer
) -> None:
    page = visit(f"/servers/{server.pk}/", as_=cast.rennes_dsi)
    report = page.get_by_role("region", name="Checks")
    expect(report).to_have_attribute("data-run", "queued")

    run = server.runs.get()
    ConformityRun.objects.update(state=RunState.RUNNING)
    run.lines.create(check_name="dns", verdict="ok", finding="fine", milliseconds=3)
    expect(report.locator("[data-check=dns]")).to_have_attribute("data-verdict", "ok")
    expect(report).to_contain_text("1 of 17")
    run.lines.all().delete()
    write(run)
    conclude_run(by=SYSTEM, run=run)

    expect(report).to_have_attribute("data-run", "passed")


def test_a_field_that_only_matters_for_a_choice_is_there_once_that_is_made(
    visit: Visit, cast: Cast
) -> None:
    make_site(cast.rennes, "Salle 2")
    page = visit("/servers/new/", as_=cast.rennes_dsi)
    fields = {
        name: page.locator(f"[name={name}]")
        for name in ("week-0-days", "slurm_note", "tools", "site_name", "proposed_model")
    }

    def there() -> set[str]:
        return {name for name, field in fields.items() if field.is_visible()}

    assert there() == {"tools", "site_name", "proposed_model"}
    page.get_by_label("Availability").select_option("weekly")
    assert there() == {"week-0-days", "tools", "site_name", "proposed_model"}
    page.get_by_label("Availability").select_option("slurm")
    page.get_by_label("Site", exact=True).select_option(label="Salle 2")
    page.get_by_label("conversation").uncheck()
    assert there() == {"slurm_note", "proposed_model"}
    assert list(looked_at(page)) == []


def test_what_was_refused_is_there_whatever_is_chosen(visit: Visit, cast: Cast) -> None:
    page = visit("/servers/new/", as_=cast.rennes_dsi)
    page.get_by_label("Availability").select_option("weekly")
    page.locator("[name=week-0-days]").select_option("all")
    page.locator("[name=week-0-start]").fill("30")
    page.get_by_label("Availability").select_option("always")
    page.get_by_role("button", name="Hand in and check").click()

    expect(page.locator("[name=week-0-start]")).to_be_visible()


def test_without_scripts_every_field_is_there(browser: Browser, portal: Portal, cast: Cast) -> None:
    context = browser.new_context(base_url=portal.url, java_script_enabled=False)
    context.add_cookies([session_cookie(cast.rennes_dsi, portal)])
    page = context.new_page()
    page.goto("/servers/new/")

    for name in ("week-0-days", "slurm_note", "tools", "site_name", "proposed_model"):
        assert page.locator(f"[name={name}]").is_visible(), name
    context.close()
