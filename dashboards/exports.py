"""Requests as files: CSV and a workbook for spreadsheets, JSON lines for programs; their numbers the page's."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from xlsxwriter import Workbook

from billing.money import euros
from billing.periods import PARIS
from billing.usage.footprint import Footprint, ModelFootprint, of_request
from billing.usage.rows import Counts, DayUsage, KeyUsage, Request
from federation.sheets import table_lines

JSON_LINES = "application/x-ndjson"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 100_000
"""Of a workbook, which is written whole before it is sent."""
ENERGY_COLUMNS = (
    *("energy_method", "energy_low_wh", "energy_wh", "energy_high_wh"),
    *("co2e_low_g", "co2e_g", "co2e_high_g", "factors"),
)
"""Of the site, with the machines' share in the CO2e; empty where there is no figure."""
_COLUMNS = (
    "id",
    "client_request_id",
    "received_at",
    "finished_at",
    "asking",
    "application",
    "key",
    "priority",
    "endpoint",
    "stream",
    "model",
    "model_asked",
    "serving",
    "server",
    "status",
    "http_status",
    "error_code",
    "attempts",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "usage_source",
    "first_token_ms",
    "duration_ms",
    "is_demo",
    "data_class",
    "stood_in_for",
    "cost_eur",
    "audio_ms",
    "images",
    "billed_eur",
    *ENERGY_COLUMNS,
)


SUMS = (
    "requests",
    "errors",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_eur",
    "audio_ms",
    "images",
    "billed_eur",
)
KEY_COLUMNS = ("institution", "application", "key", *SUMS)
"""Of the sums of keys. Those that the reader may not see are one line per institution, without a name."""


def key_row(usage: KeyUsage) -> dict[str, Any]:
    names = {name: getattr(usage, name) for name in ("institution", "application", "key")}
    return {**names, **counts_row(usage.counts)}


def counts_row(counts: Counts) -> dict[str, Any]:
    amounts = {"cost_eur": euros(counts.cost_nano), "billed_eur": euros(counts.billed_nano)}
    return {
        column: amounts[column] if column in amounts else getattr(counts, column) for column in SUMS
    }


DAY_COLUMNS = ("day", "model", *SUMS)
"""Of the sums of models by day."""


def day_row(usage: DayUsage) -> dict[str, Any]:
    return {"day": usage.day, "model": usage.model, **counts_row(usage.counts)}


def csv_lines(requests: Iterable[Request], language: str) -> Iterator[str]:
    """Return the header and a line per request. Times are Paris's, with their offset."""
    return table_lines(_COLUMNS, map(row_of, requests), language)


def row_of(request: Request) -> dict[str, Any]:
    """Return the values of a line, by column. Amounts are exact: nine decimals."""
    amounts = {"cost_eur": euros(request.cost_nano), "billed_eur": euros(request.billed_nano)}
    told = {
        column: amounts[column] if column in amounts else getattr(request, column)
        for column in _COLUMNS[: -len(ENERGY_COLUMNS)]
    }
    energy = {"energy_method": request.energy_method, "factors": request.factors}
    figures = impact_row(of_request(request))
    return {
        **told,
        **dict.fromkeys(ENERGY_COLUMNS),
        **energy,
        **figures,
    }


def impact_row(footprint: Footprint) -> dict[str, float]:
    """Return energy and CO2e with their ranges, by column; nothing where there is no figure."""
    if not footprint.is_known:
        return {}
    energy, co2e = footprint.impact.energy_kwh.scaled(1_000), footprint.impact.co2e_g
    return {
        "energy_low_wh": _six(energy.low),
        "energy_wh": _six(energy.central),
        "energy_high_wh": _six(energy.high),
        "co2e_low_g": _six(co2e.low),
        "co2e_g": _six(co2e.central),
        "co2e_high_g": _six(co2e.high),
    }


def _six(value: float) -> float:
    """Return six significant digits: whoever adds lines up loses nothing that the method knows."""
    return float(f"{value:.6g}")


MODEL_COLUMNS = (
    "model",
    *ENERGY_COLUMNS[1:-1],
    "water_ml",
    "primary_energy_mj",
    "adpe_mg_sb_eq",
    "metered_share",
    "answers_without_a_figure",
    "gpu_hours",
    "wh_per_1000_tokens",
)
"""Of what each model took."""


def model_row(row: ModelFootprint) -> dict[str, Any]:
    footprint = row.footprint
    per_thousand = footprint.kwh_per_thousand
    return {
        **dict.fromkeys(MODEL_COLUMNS),
        "model": row.model,
        **impact_row(footprint),
        "water_ml": _six(footprint.impact.water_ml.central),
        "primary_energy_mj": _six(footprint.impact.primary_mj.central),
        "adpe_mg_sb_eq": _six(footprint.impact.adpe_mg.central),
        "metered_share": _six(footprint.metered_share),
        "answers_without_a_figure": footprint.unknown,
        "gpu_hours": _six(footprint.gpu_hours),
        "wh_per_1000_tokens": _six(per_thousand.central * 1_000) if per_thousand else None,
    }


def json_lines(requests: Iterable[Request]) -> Iterator[str]:
    """Return an object per request, a line each: null where there is nothing, times with Paris's offset."""
    for request in requests:
        yield json.dumps({name: _plain(value) for name, value in row_of(request).items()}) + "\n"


def workbook(requests: Iterable[Request]) -> IO[bytes]:
    """Return an .xlsx file, at its beginning, of at most `MOST_ROWS` requests: numbers are numbers, texts are texts."""
    file = TemporaryFile()  # noqa: SIM115  # the response closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(file, {**options, "remove_timezone": True}) as book:
        sheet = book.add_worksheet("requests")
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, _COLUMNS, book.add_format({"bold": True}))
        for line, request in enumerate(islice(requests, MOST_ROWS), start=1):
            for column, value in enumerate(row_of(request).values()):
                match value:
                    case datetime():
                        sheet.write_datetime(line, column, value.astimezone(PARIS), moment)
                    case UUID():
                        sheet.write_string(line, column, str(value))
                    case _:
                        sheet.write(line, column, value)
    file.seek(0)
    return file


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(PARIS).isoformat(timespec="milliseconds")
        case UUID():
            return str(value)
        case Decimal():
            return f"{value:.9f}"
        case _:
            return value
