"""The doctor before the whole product: a real call, through the router, to a server, in the visitor's own browser."""

import os
import re

from playwright.sync_api import expect, sync_playwright

from config.launch.browser import find_browser
from tests.support.product import Product


def test_a_pasted_key_gets_a_real_answer_and_a_mistyped_one_is_not_tried(
    product: Product,
) -> None:
    key = product.demo["keys"]["p3"]
    path = find_browser(os.environ)
    assert path is not None
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = chromium.new_page(locale="en", extra_http_headers={"accept-language": "en"})
        page.goto(f"{product.address}/doctor/")
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Examine").click()

        answered = page.locator("[data-call]")
        expect(answered.locator("[data-verdict=ok]")).to_be_visible(timeout=20_000)
        expect(answered).to_contain_text(re.compile(r"began to answer after \d+ ms"))
        assert key not in page.content()

        page.get_by_label("Key").fill(key[:-1] + ("a" if key[-1] != "a" else "b"))
        page.get_by_role("button", name="Examine").click()
        expect(page.locator("#findings")).to_contain_text("A character is wrong")
        expect(page.locator("[data-call]")).to_have_count(0)
        chromium.close()
