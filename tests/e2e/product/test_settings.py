"""A model's settings changed by command: in force in the running router within a second, and explained to its user."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.e2e.product.test_first_token import QUESTION
from tests.support.processes import wait_for
from tests.support.product import Product, signed_in

ROOT = Path(__file__).resolve().parents[3]
SECONDS_TO_THE_ROUTER = 5.0  # a second by design, more where others share the machine
SECONDS_TO_THE_PORTAL = 10.0


def set_routing(product: Product, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "set_routing", *words],
        cwd=ROOT,
        env={**os.environ, **product.management_environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def explained(product: Product, model: str) -> dict[str, object]:
    """Ask the model and return how the router explains where it went."""
    answer = httpx.post(
        f"{product.address}/v1/chat/completions",
        headers={
            "authorization": f"Bearer {product.demo['keys']['rennes']}",
            "x-ilaas-explain": "1",
        },
        json={"model": model, "messages": QUESTION, "max_tokens": 3},
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200
    told: dict[str, object] = httpx.Response(200, text=answer.headers["x-ilaas-explain"]).json()
    return told


def test_a_change_is_in_force_and_each_request_tells_by_which_setting_it_went(
    product: Product,
) -> None:
    model = product.demo["models"][0]
    assert explained(product, model)["strategy"] == "affinity"

    printed = set_routing(product, model, "--setting", "least-busy-requeue", "--share-p1", "7")
    try:
        wait_for(
            lambda: explained(product, model)["strategy"] == "least-busy",
            "the setting in force",
            SECONDS_TO_THE_ROUTER,
        )
        request_id = explained(product, model)["request"]
        with signed_in(product.address, product.demo["accounts"]["rennes_dsi"]) as portal:
            address = f"/usage/requests/{request_id}/"
            wait_for(
                lambda: portal.get(address).status_code == 200,
                "the request's page",
                SECONDS_TO_THE_PORTAL,
            )
            page = portal.get(address).text
            assert portal.get(f"/routing/{model}/").status_code == 403
    finally:
        set_routing(product, model, "--setting", "affinity", "--share-p1", "2")

    assert "least-busy-requeue; at least P4 5% P3 5% P2 3% P1 7%" in printed
    assert 'id="why"' in page
    assert 'id="timeline"' in page
