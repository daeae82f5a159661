"""An IT department lends a server in a real browser: from the form to an answer that the server gives."""

import os
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from config.launch.browser import find_browser
from routing.simulator import SimulatedInThread, simulated_in_thread
from tests.support.factors import one_time_code
from tests.support.processes import wait_for
from tests.support.product import Product

SERVED, KEY, MODEL = "mistral-small", "sk-rehearsal", "mistral-small-3.2-24b"
MINUTES = 120_000


@pytest.fixture
def lent() -> Iterator[SimulatedInThread]:
    """An honest server of its own, which remembers what it is asked."""
    server = {"name": "lent", "engine": "vllm", "model": SERVED, "api_key": KEY}
    with simulated_in_thread({"servers": [server], "speed": 0, "record": True}) as servers:
        yield servers


@pytest.fixture
def browser() -> Iterator[Browser]:
    path = find_browser(os.environ)
    if path is None:
        pytest.fail("no browser: name a Chromium with BROWSER_PATH", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def signed_in_page(browser: Browser, product: Product, who: str) -> Page:
    context = browser.new_context(base_url=product.address, locale="fr")
    context.set_default_timeout(MINUTES)
    page, account = context.new_page(), product.demo["accounts"][who]
    page.goto("/account/login/")
    page.fill("[name=login]", account["email"])
    page.fill("[name=password]", account["password"])
    page.get_by_role("main").locator("button[type=submit]").click()
    if secret := account["totp_secret"]:
        page.fill("[name=code]", one_time_code(secret))
        page.get_by_role("main").locator("button[type=submit]").first.click()
    page.wait_for_url("**/")
    return page


def fill_in(page: Page, url: str) -> None:
    page.goto("/servers/")
    page.get_by_role("link", name="Prêter un serveur").click()
    page.fill("#id_server_name", "GPU de l’essai")
    page.select_option("#id_engine", "vllm")
    page.fill("#id_base_url", url)
    page.fill("#id_key", KEY)
    model = page.locator("#id_model option").filter(has_text="Mistral").first
    page.select_option("#id_model", model.get_attribute("value"))
    page.fill("#id_served_name", SERVED)
    page.fill("#id_context_length", "32768")
    page.check("#id_tools")
    page.check("#id_json_schema")
    page.select_option("#id_site", index=1)
    page.get_by_role("button", name="Déposer et vérifier").click()


def test_from_the_form_to_an_answer(
    product: Product, browser: Browser, lent: SimulatedInThread
) -> None:
    dsi = signed_in_page(browser, product, "rennes_dsi")
    fill_in(dsi, lent.url("lent"))
    checks = dsi.get_by_role("region", name="Vérifications")
    refused = checks.locator("[data-check=connection]")
    expect(refused).to_have_attribute("data-verdict", "failed", timeout=MINUTES)
    expect(refused).to_contain_text("machine même du routeur")
    assert lent.requests("lent") == []

    admin = signed_in_page(browser, product, "admin")
    admin.goto("/servers/approvals/")
    admin.get_by_role("link", name="GPU de l’essai").click()
    admin.get_by_role("link", name="Autoriser son adresse privée").click()
    admin.fill("#id_reason", "essai")
    admin.get_by_role("button", name="Autoriser").click()
    expect(checks).to_have_attribute("data-run", "passed", timeout=MINUTES)
    expect(checks.locator("[data-verdict=failed]")).to_have_count(0)
    prompts = dsi.get_by_role("region", name="Invites de synthèse")
    expect(prompts).to_have_attribute("data-run", "passed", timeout=MINUTES)

    go_live = admin.get_by_role("button", name="Mettre en service")
    expect(go_live).to_be_enabled(timeout=MINUTES)  # the page loads itself anew
    go_live.click()
    expect(admin.locator("[data-state=live]")).to_be_visible()

    before = len(lent.requests("lent"))

    def answers() -> bool:
        answer = httpx.post(
            f"{product.address}/v1/chat/completions",
            headers={"authorization": f"Bearer {product.demo['keys']['rennes']}"},
            json={"model": MODEL, "messages": [{"role": "user", "content": os.urandom(8).hex()}]},
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200
        return len(lent.requests("lent")) > before

    wait_for(answers, "the lent server to answer a request", 60)
