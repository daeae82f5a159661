"""The pages about lending in a real browser: accessible, narrow enough, and a report that grows by itself."""

import pytest
from playwright.sync_api import Page, expect

from federation.fleet.enums import RunState
from federation.fleet.models import ConformityRun, InferenceServer
from federation.fleet.operations.runs import conclude_run
from federation.fleet.operations.technical import submit_form
from federation.journal.actors import SYSTEM
from routing.core.conformity import CHECKS, Finding, RunKind, Verdict
from tests.integration.federation.world import make_form
from tests.support.browser import (
    PHONE,
    Portal,
    Theme,
    Visit,
    accessibility_problems,
    scrolls_sideways,
)
from tests.support.factories import Cast, make_cast, make_model, make_site


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def server(cast: Cast) -> InferenceServer:
    form = make_form(cast.rennes, make_site(cast.rennes), make_model())
    make_form(cast.rennes, make_site(cast.rennes), make_model("other"), server_name="GPU-10")
    return submit_form(by=cast.rennes_dsi, form=form)


def write(run: ConformityRun, *, failed: bool) -> None:
    for place, check in enumerate(CHECKS[RunKind.CONFORMITY]):
        is_red = failed and place == 4
        run.lines.create(
            check_name=check,
            verdict=Verdict.FAILED if is_red else Verdict.OK,
            finding=Finding.NOT_LISTED if is_red else Finding.FINE,
            figures={"models": 2},
            milliseconds=1234,
        )


def pages_of(server: InferenceServer) -> list[str]:
    own, form = f"/servers/{server.pk}/", server.technical_form
    run = server.runs.get()
    steps = ("", "key/", "calendar/", "retire/", "guests/", "affected/")
    return [
        *(own + step for step in steps),
        f"/servers/forms/{form.pk}/",
        f"/servers/runs/{run.pk}/",
    ]


@pytest.mark.parametrize(("language", "theme"), [("fr", "dark"), ("en", "light")])
def test_every_page_about_lending_is_accessible(
    visit: Visit, cast: Cast, server: InferenceServer, language: str, theme: Theme
) -> None:
    run = server.runs.get()
    write(run, failed=True)
    ConformityRun.objects.update(state=RunState.RUNNING)
    conclude_run(by=SYSTEM, run=run)
    own = f"/servers/{server.pk}/"
    owner = visit("/", as_=cast.rennes_dsi, language=language, theme=theme)
    admin = visit("/", as_=cast.admin, language=language, theme=theme)

    assert problems(owner, pages_of(server)) == []
    assert problems(admin, ["/servers/approvals/", own, own + "grant/", own + "decline/"]) == []


def test_nothing_about_lending_is_scrolled_sideways_on_a_phone(
    visit: Visit, cast: Cast, server: InferenceServer
) -> None:
    write(server.runs.get(), failed=True)
    page = visit("/servers/new/", as_=cast.rennes_dsi, language="fr", size=PHONE)

    wide = []
    for address in ("/servers/new/", *pages_of(server)):
        page.goto(address)
        wide += [address] if scrolls_sideways(page) else []
    assert wide == []


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
    write(run, failed=False)
    conclude_run(by=SYSTEM, run=run)

    expect(report).to_have_attribute("data-run", "passed")


def problems(page: Page, addresses: list[str]) -> list[str]:
    found = []
    for address in addresses:
        page.goto(address)
        found += [f"{address}: {each}" for each in accessibility_problems(page)]
    return found
