"""A backup of a copy at work, brought back on an empty folder: the same keys, accounts, usage, stops and limits."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from routing.gateway.counts import load_counts
from routing.gateway.stop import main as stop
from tests.support.processes import wait_for
from tests.support.product import Product, signed_in

USAGE = (
    "SELECT id::text, status, prompt_tokens, completion_tokens, key_id::text"
    " FROM billing_usagerecord WHERE id = ANY(%s::uuid[]) ORDER BY id"
)
REQUESTS = 8
MOST = 5000
SETTLED_SECONDS = 60.0
LEFT = "x-ratelimit-remaining-requests"


def ask(product: Product, model: str, key: str) -> str:
    """Return the id of a request that was answered."""
    answer = asked(product, model, key)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def asked(product: Product, model: str, key: str) -> httpx.Response:
    return httpx.post(
        f"{product.address}/v1/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": model, "max_tokens": 3, "messages": [{"role": "user", "content": "Oui ?"}]},
        timeout=60,
        trust_env=False,
    )


def usage(product: Product, ids: list[str]) -> list[tuple[Any, ...]]:
    return product.rows(USAGE, ids)


class Press(threading.Thread):
    """Asks one after the other until told to end; `ids` are those that were answered."""

    def __init__(self, product: Product, model: str, key: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self._ask = partial(ask, product, model, key)
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.is_set():
            self.ids.append(self._ask())

    def __enter__(self) -> "Press":
        self.start()
        wait_for(lambda: self.ids, "a first answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def limited(product: Product, model: str, key: str) -> Iterator[None]:
    """Limit the requests per day of everybody in Orléans."""
    words = ("set_limit", "requests-per-day", "--institution", "orleans")
    assert product.manage(*words, str(MOST)).returncode == 0
    try:
        wait_for(lambda: LEFT in asked(product, model, key).headers, "the limit in force")
        yield
    finally:
        product.manage(*words, "none")


@contextmanager
def stopped_model(product: Product, model: str) -> Iterator[None]:
    words, environment = ("model", model, "--why", "nonsense"), {"VAR": str(product.var)}
    stop(words, environment)
    try:
        yield
    finally:
        stop((*words, "--lift"), environment)


def saved_requests(product: Product) -> float:
    """Return how many requests of one day the router has saved as used."""
    measures = load_counts(product.var).values()
    return sum(size for each in measures for parts in each.values() for _age, size in parts)


@contextmanager
def empty_machine() -> Iterator[Product]:
    """Yield a copy that was never started; nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="ilaas-e2e-"))
    copy = Product(folder, "serve")
    try:
        yield copy
    finally:
        copy.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_what_was_saved_at_work_lives_again_on_an_empty_machine(
    product: Product, tmp_path: Path
) -> None:
    """Usage, with what lay in the spool alone; people; emergency stops; what is used of limits."""
    model, other = product.demo["models"][:2]
    key, file = product.demo["keys"]["p3"], tmp_path / "backup.tar"
    with limited(product, model, key), stopped_model(product, other):
        stored = [ask(product, model, key) for _ in range(REQUESTS)]
        wait_for(lambda: len(usage(product, stored)) == REQUESTS, "usage", SETTLED_SECONDS)
        wait_for(lambda: saved_requests(product) >= REQUESTS, "what was used, on disk")
        # What is asked while the clerk stands still is in the spool alone.
        with stopped(product.pid("clerk")):
            spooled = [ask(product, model, key) for _ in range(REQUESTS)]
            with Press(product, model, key) as press:
                saved = product.launch("backup", str(file))
    assert saved.returncode == 0, saved.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    sure, perhaps = stored + spooled, press.ids
    wait_for(lambda: len(usage(product, sure)) == 2 * REQUESTS, "usage", SETTLED_SECONDS)

    with empty_machine() as copy:
        restored = copy.launch("restore", str(file))
        assert restored.returncode == 0, restored.stderr
        assert f"Stopped at once, as before: {other}" in restored.stdout
        copy.start()

        wait_for(lambda: len(usage(copy, sure)) == 2 * REQUESTS, "usage", SETTLED_SECONDS)
        assert usage(copy, sure) == usage(product, sure)
        assert set(usage(copy, perhaps)) <= {*usage(product, perhaps), *interrupted(copy, perhaps)}
        assert int(asked(copy, model, key).headers[LEFT]) < MOST - REQUESTS
        assert asked(copy, other, key).json()["error"]["code"] == "model_stopped"
        with signed_in(copy.address, product.demo["accounts"]["rennes_dsi"]) as portal:
            assert portal.get("/usage/?scope=institution").status_code == 200
        assert copy.manage("verify_journal").returncode == 0
        assert copy.manage("check_usage").returncode == 0


def interrupted(product: Product, ids: list[str]) -> list[tuple[Any, ...]]:
    """Return those that were running at the moment of the backup."""
    return [row for row in usage(product, ids) if row[1] == "interrupted"]
