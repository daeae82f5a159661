"""Files that were mangled in any way are understood or refused: nothing else ever comes out of them."""

from contextlib import suppress
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from routing.bridge.transfer.dump import rows
from routing.bridge.transfer.reading import Refused
from routing.bridge.transfer.sources import Sources, read
from routing.bridge.transfer.values import PublicId
from tests.support.dispatcher import METRICS, USERS, VALUES
from tests.unit.transfer.test_dump import COPY, INSERTS, MYSQL

PIECES = st.sampled_from(
    [
        "",
        "\n",
        "  ",
        "-",
        ":",
        "[",
        "{",
        "'",
        '"',
        "*a",
        "&a ",
        "<<: ",
        "!!set",
        "null",
        "\0",
        "é",
        "\ud800",
    ]
) | st.text(max_size=3)
ENVIRONMENT = (
    "MODEL=llama\nROUTING_STRATEGY=round-robin\nDEFAULT_MAX_PARALLEL_REQUESTS=4\n"
    'VLLM_SERVERS={"https://a.example": {"token": "x", "organization": "A"}}\n'
    'MODEL_HOST_MAPPING={"llama": ["A"]}\n'
)
anywhere = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def mangled(text: str, at: float, length: int, piece: str) -> bytes:
    """Return the text with a few characters somewhere in it replaced."""
    start = int(at * len(text))
    return (text[:start] + piece + text[start + length :]).encode(errors="surrogatepass")


SPOTS = (st.floats(0, 1), st.integers(0, 12), PIECES)


@anywhere
@given(*SPOTS)
@example(0.0, 7, "!!set")
@example(0.0, 7, "!!map")
def test_a_mangled_values_file(tmp_path: Path, at: float, length: int, piece: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_bytes(mangled(VALUES, at, length, piece))

    with suppress(Refused):
        read(Sources(zone=UTC, values=path, public_id=PublicId.MODEL))


@anywhere
@given(*SPOTS)
def test_a_mangled_environment(tmp_path: Path, at: float, length: int, piece: str) -> None:
    path = tmp_path / "consumer.env"
    path.write_bytes(mangled(ENVIRONMENT, at, length, piece))

    with suppress(Refused):
        read(Sources(zone=UTC, environments=[path]))


@anywhere
@given(*SPOTS)
def test_a_mangled_table(tmp_path: Path, at: float, length: int, piece: str) -> None:
    users, metrics = tmp_path / "users.csv", tmp_path / "metrics.csv"
    users.write_bytes(mangled(USERS, at, length, piece))
    metrics.write_bytes(mangled(METRICS, at, length, piece))

    for sources in (Sources(zone=UTC, users=users), Sources(zone=UTC, metrics=metrics)):
        with suppress(Refused):
            read(sources)


@pytest.mark.parametrize("dump", [COPY, INSERTS, MYSQL], ids=["copy", "inserts", "mysql"])
@anywhere
@given(*SPOTS)
def test_a_mangled_dump(tmp_path: Path, dump: str, at: float, length: int, piece: str) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(mangled(dump, at, length, piece))

    with suppress(Refused):
        list(rows(path, "users"))
