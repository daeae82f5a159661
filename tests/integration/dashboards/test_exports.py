"""The requests as CSV: every one of the period and no other, readable and harmless in a spreadsheet."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO, StringIO
from string import ascii_uppercase
from typing import cast
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import StreamingHttpResponse
from django.test.utils import CaptureQueriesContext

from federation.access.models import ApiKey
from federation.fleet.models import Deployment
from federation.people.models import User
from federation.sheets import BYTE_ORDER_MARK
from tests.support.calls import store_calls
from tests.support.factories import Cast, make_application, make_key
from tests.support.pages import signed_in_as

COLUMNS = [*ascii_uppercase, *(f"A{letter}" for letter in ascii_uppercase[:14])]


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    """A key of the user in Orléans."""
    made, _text = make_key(make_application(cast.orleans, cast.orleans_user, "carnet"))
    return made


def exported(user: User, query: str = "", language: str = "fr") -> str:
    browser = signed_in_as(user)
    answer = browser.get(f"/usage/csv/{query}", headers={"accept-language": language})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="usage_20')
    assert isinstance(answer, StreamingHttpResponse)
    return async_to_sync(whole)(answer)


async def whole(answer: StreamingHttpResponse) -> str:
    pieces = cast("AsyncIterator[bytes]", answer.streaming_content)
    return b"".join([piece async for piece in pieces]).decode()


def rows(text: str, separator: str = ";") -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text.removeprefix(BYTE_ORDER_MARK)), delimiter=separator))


def test_every_request_of_the_period_has_a_line(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    calls = store_calls(key, at_rennes, count=3, audio_ms=61_500, images=2)

    text = exported(cast.orleans_user)

    assert text.startswith(BYTE_ORDER_MARK)
    lines = rows(text)
    assert {line["id"] for line in lines} == {call.opened.id for call in calls}
    first = lines[0]
    assert first["model"] == at_rennes.version.model.slug
    assert (first["asking"], first["serving"]) == ("Orleans", "Rennes")
    assert (first["application"], first["key"]) == ("carnet", "essai")
    assert (first["prompt_tokens"], first["completion_tokens"]) == ("10", "32")
    assert (first["audio_ms"], first["images"]) == ("61500", "2")
    assert (first["first_token_ms"], first["duration_ms"]) == ("250", "2000")
    assert (first["status"], first["http_status"], first["is_demo"]) == ("ok", "200", "0")


def test_an_english_reader_s_spreadsheet_expects_commas(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(key, at_rennes)

    assert len(rows(exported(cast.orleans_user, language="en"), ",")[0]) == len(COLUMNS)


def test_times_are_those_of_paris_and_say_so(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(key, at_rennes, at=datetime.fromisoformat("2026-06-30T22:30:00+00:00"))

    [line] = rows(exported(cast.orleans_user, "?days=custom&first=2026-07-01&last=2026-07-01"))

    assert line["received_at"] == "2026-07-01 00:30:00.000+02:00"


@pytest.mark.parametrize(
    "hostile",
    ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)", "\t=1", '"=1', "a;b", "a\nb", "=cmd|'/c calc'!A1"],
)
def test_no_cell_begins_a_formula_whatever_a_client_sends(
    cast: Cast, key: ApiKey, at_rennes: Deployment, hostile: str
) -> None:
    store_calls(key, at_rennes, client_request_id=hostile, error_code=hostile)

    [line] = rows(exported(cast.orleans_user))

    for cell in (line["client_request_id"], line["error_code"]):
        assert cell[0] not in "=+-@\t\r\n"
        assert cell.removeprefix("'") == hostile


def test_the_export_is_narrowed_as_the_page_is(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(key, at_rennes, count=2)

    assert len(rows(exported(cast.admin))) == 2
    assert len(rows(exported(cast.admin, f"?key={key.pk}"))) == 2
    assert rows(exported(cast.admin, "?scope=mine")) == []
    assert rows(exported(cast.reims_dsi, "?scope=served")) == []
    [served, _other] = rows(exported(cast.rennes_dsi, "?scope=served"))
    assert (served["application"], served["key"], served["client_request_id"]) == ("", "", "")


@pytest.mark.parametrize("query", ["?days=custom&first=9999-12-31", "?model=%00", "?scope=all"])
def test_an_address_that_cannot_be_read_exports_the_usual(
    cast: Cast, key: ApiKey, at_rennes: Deployment, query: str
) -> None:
    store_calls(key, at_rennes)

    assert len(rows(exported(cast.orleans_user, query))) == 1


def test_more_lines_take_no_more_queries(cast: Cast, key: ApiKey, at_rennes: Deployment) -> None:
    store_calls(key, at_rennes)
    with CaptureQueriesContext(connection) as one:
        exported(cast.orleans_user)
    store_calls(key, at_rennes, count=1200)

    with CaptureQueriesContext(connection) as many:
        exported(cast.orleans_user)

    assert len(many) == len(one)


def test_the_workbook_has_the_csvs_rows_and_no_formula(
    cast: Cast, key: ApiKey, at_rennes: Deployment
) -> None:
    store_calls(key, at_rennes, count=3, client_request_id="=1+1", audio_ms=61_500, images=2)
    as_csv = rows(exported(cast.orleans_user))

    answer = signed_in_as(cast.orleans_user).get("/usage/xlsx/")

    sheet, cells = workbook_of(b"".join(answer))
    assert cells[0] == list(as_csv[0])
    told = [dict(zip(cells[0], line, strict=True)) for line in cells[1:]]
    assert [line["id"] for line in told] == [line["id"] for line in as_csv]
    assert {line["client_request_id"] for line in told} == {"=1+1"}
    assert "<f>" not in sheet
    for column in ("prompt_tokens", "audio_ms", "images"):
        assert [line[column] for line in told] == [line[column] for line in as_csv]


def test_the_table_by_day_is_had_as_a_file(cast: Cast, key: ApiKey, at_rennes: Deployment) -> None:
    days = [datetime(2026, 6, day, 12, tzinfo=UTC) for day in (1, 2)]
    for day in days:
        store_calls(key, at_rennes, count=day.day, at=day, audio_ms=500)
    period = "?days=custom&first=2026-06-01&last=2026-06-30"

    page = signed_in_as(cast.orleans_user).get(f"/usage/{period}").content.decode()
    answer = signed_in_as(cast.orleans_user).get(f"/usage/days/csv/{period}")

    assert f'href="/usage/days/csv/{period.replace("&", "&amp;")}"' in page
    assert isinstance(answer, StreamingHttpResponse)
    told = rows(async_to_sync(whole)(answer))
    model = at_rennes.version.model.slug
    assert [(line["day"], line["model"], line["requests"], line["audio_ms"]) for line in told] == [
        ("2026-06-01", model, "1", "500"),
        ("2026-06-02", model, "2", "1000"),
    ]


def test_json_lines_tell_the_same(cast: Cast, key: ApiKey, at_rennes: Deployment) -> None:
    calls = store_calls(key, at_rennes, count=3, audio_ms=61_500)

    answer = signed_in_as(cast.orleans_user).get("/usage/jsonl/")

    assert isinstance(answer, StreamingHttpResponse)
    told = [json.loads(line) for line in async_to_sync(whole)(answer).splitlines()]
    assert {line["id"] for line in told} == {call.opened.id for call in calls}
    assert all(datetime.fromisoformat(line["finished_at"]).utcoffset() for line in told)
    assert {(line["cost_eur"], line["audio_ms"]) for line in told} == {("0.000000000", 61_500)}


def test_too_many_requests_for_a_workbook_are_told_on_the_page(
    cast: Cast, key: ApiKey, at_rennes: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.views.usage.MOST_ROWS", 2)
    store_calls(key, at_rennes, count=3)

    page = signed_in_as(cast.orleans_user).get("/usage/xlsx/?days=7", follow=True)

    assert page.redirect_chain[-1][0].endswith("/usage/?days=7")
    assert "alert" in page.content.decode()


def workbook_of(data: bytes) -> tuple[str, list[list[str]]]:
    """Return the sheet's own XML, and its cells as texts."""
    names = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with ZipFile(BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    lines = []
    for row in ElementTree.fromstring(sheet).iterfind(".//m:row", names):
        told = {cell.attrib["r"]: "".join(cell.itertext()) for cell in row.iterfind("m:c", names)}
        line = row.attrib["r"]
        lines.append([told.get(f"{column}{line}", "") for column in COLUMNS])
    return sheet, lines
