"""One copy of the whole product for every test in this folder, all of them on one worker."""

from collections.abc import Iterator

import pytest

from tests.support.product import Product, running


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/product/" in item.path.as_posix():
            item.add_marker(pytest.mark.xdist_group("product"))


@pytest.fixture(scope="package")
def product() -> Iterator[Product]:
    with running() as copy:
        yield copy


@pytest.fixture(autouse=True)
def all_parts_answer(product: Product) -> None:
    """A test may have killed a part: the next one begins with all of them there."""
    product.wait_ready()
