"""An aristote-dispatcher's values file and users, imported while the product runs: old keys are served, as they are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from routing.simulator import SimulatedInThread, simulated_in_thread
from tests.support.dispatcher import USERS, write
from tests.support.processes import wait_for
from tests.support.product import ROOT, Product

TOKEN = "secret-of-dc1"
PUBLIC_ID = "mistralai/Mistral-Small-3.1-24B-Instruct-2503"
OLD_KEY = "tokenwithlowerpriority"
VALUES = """\
models:
  - name: mistral31-24b
    model: "{model}"
    vllm_servers:
      - url: {url}
        token: {token}
        organization: Université de Tours
    routing_strategy: least-busy
"""
METRICS = """\
id,user_name,request_date,sent_to_llm_date,response_date,model,server,prompt_tokens,completion_tokens
1,Moodle,2026-01-12 09:00:00,2026-01-12 09:00:01,2026-01-12 09:00:04,{model},{url},12,34
"""


@pytest.fixture
def old_server() -> Iterator[SimulatedInThread]:
    server = {"name": "dc1", "engine": "vllm", "model": PUBLIC_ID, "api_key": TOKEN}
    with simulated_in_thread({"servers": [server], "speed": 0}) as running:
        yield running


def manage(product: Product, *arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **product.management_environment()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def answers(product: Product) -> bool:
    body = {"model": PUBLIC_ID, "messages": [{"role": "user", "content": "Bonjour"}]}
    answer = httpx.post(
        f"{product.address}/v1/chat/completions",
        headers={"authorization": f"Bearer {OLD_KEY}"},
        json=body,
        timeout=20,
        trust_env=False,
    )
    return answer.status_code == 200


def test_old_keys_are_served_after_an_import_and_the_accounts_go_on(
    product: Product, old_server: SimulatedInThread, tmp_path: Path
) -> None:
    known = {"model": PUBLIC_ID, "url": old_server.url("dc1")}
    files = (
        *("--values", write(tmp_path, "values.yaml", VALUES.format(**known, token=TOKEN))),
        *("--users", write(tmp_path, "users.csv", USERS)),
        *("--metrics", write(tmp_path, "metrics.csv", METRICS.format(**known))),
    )

    done = manage(product, "import_dispatcher", *files, "--public-id", "model", "--apply")

    assert done[-2:] == ["+ 1 past requests, of 1 that were read", "Done."]
    wait_for(lambda: answers(product), "the old key to be served", 10)
    with openai.OpenAI(
        base_url=f"{product.address}/v1",
        api_key="sk-0123456789abcdef0123456789abcdef",
        max_retries=0,
    ) as client:
        assert PUBLIC_ID in [model.id for model in client.models.list()]
        with pytest.raises(openai.BadRequestError, match="does not host"):
            # This key was private-only, and stays so: its institution hosts no such model.
            client.chat.completions.create(
                model=PUBLIC_ID, messages=[{"role": "user", "content": "Bonjour"}]
            )
    wait_for(
        lambda: (
            product.rows("SELECT count(*) > 1 FROM metrics WHERE user_name = 'Moodle'") == [(True,)]
        ),
        "past and present side by side in the view",
        10,
    )
    again = manage(product, "import_dispatcher", *files, "--public-id", "model", "--apply")
    assert again[-1] == "Nothing to do."
