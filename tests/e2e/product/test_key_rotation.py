"""The encryption key of a running product is changed as docs/operations.md says: nothing is lost on the way."""

import json
from typing import Any

import httpx

from tests.support.processes import wait_for
from tests.support.product import Product, signed_in


def tokens(product: Product) -> list[str]:
    """Return the access keys that the simulated servers ask for: a start makes new ones for those it cannot open."""
    servers = json.loads((product.var / "simulator.json").read_text())["servers"]
    return [server["api_key"] for server in servers]


def restart(product: Product) -> None:
    assert product.stop() == 0
    product.start()
    product.wait_ready()


def answer_of(product: Product, model: str) -> int:
    given: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "?"}]}
    headers = {"authorization": f"Bearer {product.demo['keys']['rennes']}"}
    address = f"{product.address}/v1/chat/completions"
    return httpx.post(
        address, json={**given, "max_tokens": 2}, headers=headers, timeout=60, trust_env=False
    ).status_code


def every_model_answers(product: Product) -> bool:
    return all(answer_of(product, model) == 200 for model in product.demo["models"])


def test_servers_and_second_factors_outlive_the_key_that_sealed_them(product: Product) -> None:
    file = product.var / "secrets" / "encryption_key"
    old, before = file.read_text().strip(), tokens(product)
    new = product.manage("rotate_encryption_key", "--add-key").stdout.split()[-1]
    file.write_text(f"{new},{old}\n")

    early = product.manage("rotate_encryption_key")
    assert early.returncode == 1
    assert "the router has not read the first key yet" in early.stderr

    restart(product)
    done = product.manage("rotate_encryption_key")
    assert done.returncode == 0, done.stderr
    assert "the others may go" in done.stdout
    wait_for(lambda: every_model_answers(product), "answers with what was sealed anew", 60)

    file.write_text(f"{new}\n")
    restart(product)
    assert tokens(product) == before
    wait_for(lambda: every_model_answers(product), "answers without the old key", 60)
    with signed_in(product.address, product.demo["accounts"]["admin"]) as portal:
        assert portal.get("/people/?at=").status_code == 200
