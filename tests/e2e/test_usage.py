"""My usage in a real browser: a chart that is drawn, filters that answer, a file that opens."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from tests.support.browser import Portal, Visit
from tests.support.calls import store_calls
from tests.support.factories import Cast, make_application, make_cast, make_key, serve_model


@pytest.fixture
def cast(portal: Portal) -> Cast:
    return make_cast()


@pytest.fixture
def deployments(cast: Cast) -> list[Deployment]:
    """Two models, of which the first is used more."""
    return [serve_model(cast.rennes), serve_model(cast.reims, "qwen-3-30b")]


@pytest.fixture
def key(cast: Cast, deployments: list[Deployment]) -> ApiKey:
    key, _text = make_key(make_application(cast.orleans, cast.orleans_user, "carnet"))
    store_calls(key, deployments[0], count=3)
    store_calls(key, deployments[1], count=1)
    return key


def bars(page: Page) -> int:
    """Return how many bars with a height Plotly has drawn."""
    expect(page.locator("[data-chart] .main-svg").first).to_be_visible()
    shapes = page.locator("[data-chart] .bars .point path").all()
    return sum(1 for shape in shapes if (shape.bounding_box() or {"height": 0})["height"] > 1)


def test_the_chart_is_drawn_with_a_bar_for_each_model(
    visit: Visit, cast: Cast, key: ApiKey, deployments: list[Deployment]
) -> None:
    page = visit("/usage/", as_=cast.orleans_user)

    assert bars(page) == 2
    legend = page.locator("[data-chart] .legendtext")
    assert set(legend.all_text_contents()) == {one.version.model.slug for one in deployments}
    expect(page.get_by_role("main")).to_contain_text("makes 75% of the tokens")


def test_the_table_has_the_chart_s_numbers(visit: Visit, cast: Cast, key: ApiKey) -> None:
    page = visit("/usage/?days=7&unit=requests", as_=cast.orleans_user)

    page.get_by_text("The same numbers as a table", exact=True).click()

    table = page.get_by_role("table", name="requests per day and model")
    expect(table.get_by_role("row")).to_have_count(8)
    assert "3\t1\t4" in table.inner_text()


def test_the_days_are_asked_only_for_a_period_of_one_s_own(
    visit: Visit, cast: Cast, key: ApiKey
) -> None:
    page = visit("/usage/", as_=cast.orleans_user)
    expect(page.get_by_label("From", exact=True)).to_be_hidden()

    page.get_by_label("Period", exact=True).select_option("custom")
    page.get_by_label("From", exact=True).fill("2026-01-01")
    page.get_by_label("To", exact=True).fill("2026-01-31")
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_role("main")).to_contain_text("Nothing was used in this period")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01")


def test_the_requests_are_downloaded_as_they_are_filtered(
    visit: Visit, cast: Cast, key: ApiKey, tmp_path: Path
) -> None:
    page = visit("/usage/?model=qwen-3-30b", as_=cast.orleans_user)

    with page.expect_download() as download:
        files = page.get_by_role("group", name="All requests as a file")
        files.get_by_role("link", name="CSV").click()
    file = tmp_path / "usage.csv"
    download.value.save_as(file)

    header, line, *others = file.read_text("utf-8-sig").splitlines()
    assert header.startswith("id,client_request_id,")
    assert "qwen-3-30b" in line
    assert others == []
