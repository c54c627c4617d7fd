"""The dashboard as a workbook: its totals, a sheet for every chart and table, and every row behind them.

A spreadsheet's numbers are binary and hold 15 digits; the totals stand beside theirs as text, exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any, NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from aggregates.domain import formats, texts
from aggregates.domain.calls import KEY
from aggregates.domain.measures import Sums
from aggregates.query import reports
from aggregates.query.answer import Answer, keys_of
from aggregates.query.display_measures import COST, PER_SECOND, PERCENT, SECONDS, Unit
from aggregates.query.notes import Note
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import WITHIN, Series
from aggregates.web.pages.dashboard import Dashboard
from aggregates.web.pages.tables import Table, share_of

MONEY, COUNT, SHARE, DAY = "$#,##0.00##########", "#,##0", '0.0##"%"', "yyyy-mm-dd"
RATE = "0.00000000"
TIME, SPEED = "#,##0.000", "#,##0.0"  # in seconds, and per second
SHAPES = {COST: MONEY, PERCENT: SHARE, SECONDS: TIME, PER_SECOND: SPEED}
# Texts stay texts, whatever they begin with.
PLAIN = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
WIDEST = 60  # characters
KINDS = ("Group kind", "Subgroup kind")
MOST = 1_048_576  # rows that a sheet has


class Shaped(NamedTuple):
    """A number with a format of its own."""

    value: Any
    shape: str


@dataclass(frozen=True)
class Sheet:
    """Lines under a header; `shapes` are the number formats of its columns, and the last lines may be in bold."""

    name: str
    header: Sequence[str]
    shapes: Sequence[str]
    lines: Sequence[Sequence[Any]]
    bold: int = 0


def as_xlsx(dashboard: Dashboard, rows: Answer) -> bytes:
    """Write the workbook; `rows` are by the dashboard's step and groups."""
    file = BytesIO()
    with Workbook(file, PLAIN) as book:
        _write(book, _totals(dashboard))
        for drawn in dashboard.charts:
            _write(book, _chart(dashboard.selection, drawn))
        for table in dashboard.tables:
            _write(book, _table(table))
        if dashboard.notes:
            _write(book, _notes(dashboard.notes))
        _write(book, _rows(rows))
    return file.getvalue()


def _totals(dashboard: Dashboard) -> Sheet:
    sums = [dashboard.totals, *([dashboard.before.totals] if dashboard.before else [])]
    header = ["Measure", "Value", "Exactly", "Before", "Exactly before"]
    if dashboard.before and dashboard.earlier and dashboard.earlier.is_by_whole_days:
        sums.append(dashboard.comparable)
        header += ["Whole days", "Exactly whole days"]
    ranges = [_measured(each) for each in sums]
    lines = [
        (_in_words(name), *(cell for sums in ranges for cell in _exactly(name, sums.get(name)))) for name in ranges[0]
    ]
    about = [(name, text) for name, text in _about(dashboard) if text]
    return Sheet(
        "Totals",
        header,
        [""] * len(header),
        [*lines, (), *about],
    )


def _measured(sums: Sums) -> dict[str, int | str | None]:
    return {**reports.measured(sums), **(reports.latencies_of(sums.latency) if sums.latency else {})}


def _exactly(name: str, value: int | str | None) -> tuple[Shaped | None, str]:
    """Write a number for a spreadsheet, and as text with all of its digits; nothing where there is none."""
    return (None, "") if value is None else (_shaped(name, value), str(value))


def _about(dashboard: Dashboard) -> Iterable[tuple[str, str]]:
    selection = dashboard.selection
    zone = selection.organization.time_zone
    yield "Organization", selection.organization.name
    yield "Range", f"{selection.range.words}, days in {zone}"
    yield "Before", dashboard.earlier.before.words if dashboard.earlier else ""
    yield "Comparison", dashboard.earlier.words if dashboard.earlier and dashboard.before else ""
    yield from (("Only", f"{name} {texts.named(value)}") for name, value in selection.filters)
    yield from (("Without", f"{name} {texts.named(value)}") for name, value in selection.excluded)
    yield "Source", dashboard.provenance
    yield "Latencies", dashboard.latencies
    yield "Latencies not known", dashboard.without_latency
    yield "As of", f"{dashboard.as_of:%Y-%m-%d %H:%M:%S} UTC"
    yield "Left out", dashboard.refusal


def _chart(selection: Selection, drawn: Drawn) -> Sheet:
    query = selection.over_time()
    starts = [_start(query.local(start).isoformat(), query.bucket) for start in query.buckets]
    parts = [(one, part) for one in drawn.series for part in one.drawn]
    columns = [_values(part) for _, part in parts]
    explored = f" by {selection.by}" if selection.by else " over time"
    by = explored if drawn.name == "explore" else ""
    return Sheet(
        f"{drawn.title}{by}",
        (query.bucket.value.capitalize(), *(_title(selection, one, part) for one, part in parts)),
        (DAY, *(_shape(drawn.unit) for _ in columns)),
        [
            *zip(starts, *columns, strict=True),
            ("Total", *(_whole(part) for _, part in parts)),
        ],
        bold=1,
    )


def _title(selection: Selection, one: Series, part: Series) -> str:
    """Name a column by its group, and by the subgroup that it is."""
    title = _name(selection.by, one.key, one.name)
    return f"{title}{WITHIN}{_name(selection.subgroup, part.subkey, part.name)}" if part is not one else title


def _name(dimension: str | None, key: str | None, name: str) -> str:
    """Name a value exactly, but in quotation marks where a word of ours could be meant."""
    return texts.set_apart(key) if key and dimension != KEY else name


def _values(one: Series) -> Sequence[Any]:
    """List the values, with “no price” where no call of a bucket has one: that is not 0."""
    unpriced = one.unpriced or (False,) * len(one.values)
    return [formats.NO_PRICE if unknown else value for value, unknown in zip(one.values, unpriced, strict=True)]


def _whole(one: Series) -> Any:
    return formats.NO_PRICE if one.is_unpriced else one.total


def _table(table: Table) -> Sheet:
    """Write a table with the columns that it has on the page. Of subgroups each has a row, with its share of all, and
    groups have none of their own: so that rows add up."""
    whole = f"Share of {table.whole_in_words}"
    dimensions = [table.dimension, *([table.subgroup] if table.subgroup else [])]
    blank = [""] * (len(dimensions) - 1)
    lines = [
        (*map(texts.words_of, keys), *_columns(table, sums), share, *(texts.kind_of(key).value for key in keys))
        for keys, sums, share in _lines(table)
    ]
    return Sheet(
        f"Top {table.dimension.plural}",
        (
            *(each.name.capitalize() for each in dimensions),
            *(each.label for each in table.columns),
            whole,
            *KINDS[: len(dimensions)],
        ),
        ("", *blank, *(_shape(each.unit) for each in table.columns), SHARE, "", *blank),
        [*lines, ("Total", *blank, *_columns(table, table.total.sums), table.total.share, "total", *blank)],
        bold=1,
    )


def _lines(table: Table) -> Iterable[tuple[Sequence[str | None], Sums, Decimal | None]]:
    """List what a table shows, each with its value of every dimension, and its share of all."""
    for line in table.lines:
        if not table.subgroup:
            yield [line.key], line.sums, line.share
        elif not line.parts:
            yield [None, None], line.sums, line.share
        for part in line.parts:
            yield [line.key, part.key], part.sums, share_of(part.sums, table.total.sums, table.whole)


def _columns(table: Table, sums: Sums) -> tuple[Any, ...]:
    return tuple(
        formats.NO_PRICE if each.name == "cost" and formats.has_no_price(sums) else each.of(sums)
        for each in table.columns
    )


def _notes(notes: Iterable[Note]) -> Sheet:
    return Sheet(
        "Notes",
        ("From", "To", "Kind", "Note", "By"),
        (DAY, DAY, "", "", ""),
        [(note.first, note.last, note.kind.value, note.text, note.author) for note in notes],
    )


def _rows(answer: Answer) -> Sheet:
    by = answer.query.by
    lines = [
        (
            _start(reports.start_of(answer, row), answer.query.bucket),
            *map(texts.words_of, keys_of(row.group, by)),
            *(_cell(value) for value in reports.cells_of(answer, row.sums).values()),
            *reports.kinds_of(answer, row),
        )
        for row in answer.rows
    ]
    columns = reports.columns_of(answer)
    shapes = [_shape_of(name) for name in columns]
    header = (answer.query.bucket.value.capitalize(), *(name.capitalize() for name in by))
    return Sheet(
        "Rows",
        (*header, *map(_in_words, columns), *KINDS[: len(by)]),
        (DAY, *("" for _ in by), *shapes, *("" for _ in by)),
        lines,
    )


def _start(iso: str, bucket: Bucket) -> date | str:
    """Write hours as text with their offset, so that the two of a repeated hour differ."""
    return iso if bucket == Bucket.HOUR else date.fromisoformat(iso[:10])


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _shape_of(name: str) -> str:
    return MONEY if name in reports.COSTS else RATE if "rate" in name or "per_" in name else COUNT


def _shaped(name: str, value: int | str) -> Shaped:
    return Shaped(_number(value), _shape_of(name))


def _shape(unit: Unit) -> str:
    return SHAPES.get(unit, COUNT)


def _cell(value: int | str | None) -> Decimal | str | None:
    return value if value is None or value == reports.NOT_KNOWN else _number(value)


def _number(value: int | str) -> Decimal:
    return Decimal(value)


def _write(book: Workbook, sheet: Sheet) -> None:
    """Write a sheet row by row, so that what was written needs no memory."""
    page: Worksheet = book.add_worksheet(sheet.name[:31])
    for column, title in enumerate(sheet.header):
        texts = [_text(line[column]) for line in sheet.lines if column < len(line)]
        page.set_column(column, column, min(max(map(len, [title, *texts])), WIDEST) + 2)
    page.freeze_panes(1, 1)
    page.ignore_errors({"number_stored_as_text": f"A1:XFD{MOST}"})  # as ids are, which are no numbers
    page.write_row(0, 0, sheet.header, book.add_format({"bold": True, "bottom": 1}))
    looks = {bold: _looks(book, sheet, {"bold": True, "top": 1} if bold else {}) for bold in (False, True)}
    first_bold = len(sheet.lines) - sheet.bold
    for number, line in enumerate(sheet.lines):
        for column, value in enumerate(line):
            held, shape = value if isinstance(value, Shaped) else (value, sheet.shapes[column])
            if held is not None:
                _write_cell(page, number + 1, column, held, looks[number >= first_bold][shape])


def _looks(book: Workbook, sheet: Sheet, common: dict[str, Any]) -> dict[str, Any]:
    """Make the format of each shape that the sheet has."""
    own = {cell.shape for line in sheet.lines for cell in line if isinstance(cell, Shaped)}
    return {
        shape: book.add_format(common | ({"num_format": shape} if shape else {})) for shape in {*sheet.shapes, *own}
    }


def _write_cell(page: Worksheet, row: int, column: int, value: Any, shape: Any) -> None:
    if isinstance(value, str):
        page.write_string(row, column, value, shape)
    elif isinstance(value, date):
        page.write_datetime(row, column, value, shape)
    else:
        page.write_number(row, column, value, shape)


def _text(cell: Any) -> str:
    value = cell.value if isinstance(cell, Shaped) else cell
    return f"{value:,.6f}" if isinstance(value, Decimal) else "" if value is None else str(value)
