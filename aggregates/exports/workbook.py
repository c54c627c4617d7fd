"""The dashboard as a workbook: its totals, a sheet for every chart and table, and every row behind them.

A spreadsheet's numbers are binary and hold 15 digits; the totals stand beside theirs as text, exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from aggregates import formats, reports
from aggregates.charts.chart import Drawn
from aggregates.measures import Sums
from aggregates.pages.dashboard import Dashboard
from aggregates.pages.tables import Table
from aggregates.queries import Bucket
from aggregates.selection import Selection
from aggregates.shown import COST, PERCENT, Unit
from aggregates.sources import Answer

MONEY, COUNT, SHARE, DAY = "$#,##0.00##########", "#,##0", '0.0##"%"', "yyyy-mm-dd"
RATE = "0.00000000"
# Texts stay texts, whatever they begin with.
PLAIN = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
WIDEST = 60  # characters


@dataclass(frozen=True)
class Sheet:
    """Lines under a header; `shapes` are the number formats of its columns, and the last lines may be in bold."""

    name: str
    header: Sequence[str]
    shapes: Sequence[str]
    lines: Sequence[Sequence[Any]]
    bold: int = 0


def as_xlsx(dashboard: Dashboard, rows: Answer, before: Answer | None) -> bytes:
    """`rows` are by the dashboard's step and groups; `before` is what its tiles compare with, if that is known."""
    file = BytesIO()
    with Workbook(file, PLAIN) as book:
        _write(book, _totals(dashboard, before))
        for drawn in dashboard.charts:
            _write(book, _chart(dashboard.selection, drawn))
        for table in dashboard.tables:
            _write(book, _table(table))
        _write(book, _rows(rows))
    return file.getvalue()


def _totals(dashboard: Dashboard, before: Answer | None) -> Sheet:
    now, earlier = reports.measured(dashboard.totals), reports.measured(before.totals) if before else {}
    lines = [
        (_in_words(name), _number(now[name]), str(now[name]), _number(earlier.get(name)), earlier.get(name))
        for name in reports.COLUMNS
    ]
    about = [(name, text) for name, text in _about(dashboard) if text]
    return Sheet(
        "Totals",
        ("Measure", "Value", "Exactly", "Before", "Exactly before"),
        ("", RATE, "", RATE, ""),
        [*lines, (), *about],
    )


def _about(dashboard: Dashboard) -> Iterable[tuple[str, str]]:
    selection = dashboard.selection
    zone = selection.organization.time_zone
    yield "Organization", selection.organization.name
    yield "Range", f"{selection.range.words}, days in {zone}"
    yield "Before", selection.compared.range.words
    yield from (("Only", f"{name} {formats.named(value)}") for name, value in selection.filters)
    yield from (("Without", f"{name} {formats.named(value)}") for name, value in selection.excluded)
    yield "Source", dashboard.provenance
    yield "As of", f"{dashboard.as_of:%Y-%m-%d %H:%M:%S} UTC"
    yield "Left out", dashboard.refusal


def _chart(selection: Selection, drawn: Drawn) -> Sheet:
    query = selection.over_time()
    starts = [_start(query.local(start).isoformat(), query.bucket) for start in query.buckets]
    columns = [one.values for one in drawn.series]
    explored = f" by {selection.by}" if selection.by else " over time"
    by = explored if drawn.name == "explore" else ""
    return Sheet(
        f"{drawn.title}{by}",
        (query.bucket.value.capitalize(), *(one.name for one in drawn.series)),
        (DAY, *(_shape(drawn.unit) for _ in columns)),
        [*zip(starts, *columns, strict=True), ("Total", *(one.total for one in drawn.series))],
        bold=1,
    )


def _table(table: Table) -> Sheet:
    lines = [(formats.named(line.key), *_columns(line.sums), line.share) for line in table.lines]
    return Sheet(
        f"Top {table.dimension.plural}",
        (table.dimension.name.capitalize(), "Cost", "Calls", "Tokens", "Share"),
        ("", MONEY, COUNT, COUNT, SHARE),
        [*lines, ("Total", *_columns(table.total), Decimal(100))],
        bold=1,
    )


def _columns(sums: Sums) -> tuple[Any, ...]:
    return sums.cost, sums.calls, sums.tokens


def _rows(answer: Answer) -> Sheet:
    by = answer.query.by
    lines = [
        (
            _start(reports.start_of(answer, row), answer.query.bucket),
            *((formats.named(row.key),) if by else ()),
            *map(_number, reports.measured(row.sums).values()),
        )
        for row in answer.rows
    ]
    shapes = [MONEY if name == "cost" else RATE if "rate" in name else COUNT for name in reports.COLUMNS]
    header = (answer.query.bucket.value.capitalize(), *((by.capitalize(),) if by else ()))
    return Sheet(
        "Rows",
        (*header, *map(_in_words, reports.COLUMNS)),
        (DAY, *(("",) if by else ()), *shapes),
        lines,
    )


def _start(iso: str, bucket: Bucket) -> date | str:
    """Hours as text with their offset, so that the two of a repeated hour differ."""
    return iso if bucket == Bucket.HOUR else date.fromisoformat(iso[:10])


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _shape(unit: Unit) -> str:
    return MONEY if unit is COST else SHARE if unit is PERCENT else COUNT


def _number(value: int | str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _write(book: Workbook, sheet: Sheet) -> None:
    page: Worksheet = book.add_worksheet(sheet.name[:31])
    page.write_row(0, 0, sheet.header, book.add_format({"bold": True, "bottom": 1}))
    page.freeze_panes(1, 1)
    first_bold = len(sheet.lines) - sheet.bold
    for column, shape in enumerate(sheet.shapes):
        plain = book.add_format({"num_format": shape} if shape else {})
        bold = book.add_format({"bold": True, "top": 1} | ({"num_format": shape} if shape else {}))
        widest = len(sheet.header[column])
        for number, line in enumerate(sheet.lines):
            value = line[column] if column < len(line) else None
            if value is not None:
                _write_cell(page, number + 1, column, value, bold if number >= first_bold else plain)
                widest = max(widest, len(_text(value)))
        page.set_column(column, column, min(widest, WIDEST) + 2)


def _write_cell(page: Worksheet, row: int, column: int, value: Any, shape: Any) -> None:
    if isinstance(value, str):
        page.write_string(row, column, value, shape)
    elif isinstance(value, date):
        page.write_datetime(row, column, value, shape)
    else:
        page.write_number(row, column, value, shape)


def _text(value: Any) -> str:
    return f"{value:,.6f}" if isinstance(value, Decimal) else str(value)
