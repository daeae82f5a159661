"""The pages about lending in a real browser: a report that grows by itself."""

import pytest
from playwright.sync_api import expect

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, InferenceServer
from federation.fleet.operations.runs import conclude_run
from federation.fleet.operations.technical import submit_form
from federation.journal.actors import SYSTEM
from routing.core.conformity import CHECKS, Finding, RunKind, Verdict
from tests.integration.federation.world import make_form
from tests.support.browser import Portal, Visit
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
