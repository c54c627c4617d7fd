"""An answer as text: JSON, CSV, or a table for people."""

import csv
import io
import json
import re
from collections.abc import Iterable
from decimal import Decimal

from aggregates.domain import days, money
from aggregates.domain.latency import Latency
from aggregates.domain.measures import MEASURES, Sums, rounded_rate
from aggregates.domain.texts import FSI, PDI, kind_of, named, words_of
from aggregates.query.answer import Answer, Row, keys_of
from aggregates.query.provenance import provenance
from aggregates.query.units import UnitSums
from aggregates.query.usage_query import Bucket

# The sum of the calls' own rates means nothing to a reader; their mean does.
SUMMED = tuple(measure.name for measure in MEASURES if measure.name != "cache_hit_rates")
COLUMNS = (*SUMMED, "cache_hit_rate", "avg_cache_hit_rate")
# Of calls that tell how long they took and did not fail; percentiles are the bucket that they are in, both ends of it
# included.
LATENCIES = ("timed_calls", "timed_ms", "timed_output_tokens", "tokens_per_second")
PERCENTILES = {name: percent for percent in (50, 95) for name in (f"p{percent}_ms_from", f"p{percent}_ms_to")}
LATENCY_COLUMNS = (*LATENCIES, *PERCENTILES)
COSTS = ("cost", "charge_cost")
NOT_KNOWN = "not known"
# Spreadsheets take a cell that begins so for a formula; with an apostrophe before it, it is a text. So that the guard
# can be told from the text, texts that begin like a guarded one have it, too.
FORMULA = "^'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]"  # the last four are = + - @ as wide as Chinese characters
KEYS, KINDS = ("key", "subkey"), ("group_kind", "subgroup_kind")  # of a group, and of its subgroup
BOM = "\ufeff"  # by which a spreadsheet knows UTF-8


def as_json(answer: Answer) -> str:
    """Write all of the answer; counts as integers, cost as a string with 12 places, rates as strings with 8."""
    document = {**about(answer), "totals": measured_of(answer, answer.totals), "rows": rows_of(answer)}
    return json.dumps(document, indent=2)


def about(answer: Answer) -> dict[str, object]:
    """Say whose usage it is, of which days, and where it was read."""
    query, plan = answer.query, answer.plan
    hourly = {part.day for part in plan.hours}.difference(plan.log_days)
    is_vague = bool(query.scope)  # all days count as read from the log: which are, others' usage decides
    return {
        "organization": query.organization.slug,
        "time_zone": query.zone,
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "source": {
            "log_days": len(query.days) if is_vague else len(plan.log_days),
            "aggregate_days": 0 if is_vague else len(plan.aggregate_days),
            "hourly_days": 0 if is_vague else len(hourly),
            "empty_days": 0 if is_vague else len(plan.empty_days),
            "rolled_through": plan.rolled_through.isoformat() if plan.rolled_through and not is_vague else None,
        },
        **({"limited_to": {name: list(values) for name, values in query.scope.values}} if query.scope else {}),
        "unknown": list(_unknown(answer)),
        **({"without_latency": answer.without_latency} if answer.query.with_latency else {}),
    }


def columns_of(answer: Answer) -> tuple[str, ...]:
    """Name the columns of an answer: those of latencies, too, where it was asked for them."""
    return (*COLUMNS, *(LATENCY_COLUMNS if answer.query.with_latency else ()))


# What is divided is not known where one of its parts is not.
PARTS = {"cache_hit_rate": ("cached_tokens", "input_tokens"), "avg_cache_hit_rate": ("cache_hit_rates", "calls")}


def _unknown(answer: Answer) -> tuple[str, ...]:
    """The names of columns that are not known for a part of the range."""
    latencies = LATENCY_COLUMNS if answer.without_latency else ()
    return (*(name for name in COLUMNS if {name, *PARTS.get(name, ())} & {*answer.unknown}), *latencies)


def rows_of(answer: Answer) -> list[dict[str, object]]:
    """Write each row with its key as it was recorded, and what that is; both are null without a breakdown. Of a
    subgroup it has these of its own, too."""
    return [
        {"start": start_of(answer, row), **_group_of(answer, row), **measured_of(answer, row.sums)}
        for row in answer.rows
    ]


def _group_of(answer: Answer, row: Row) -> dict[str, str | None]:
    by = answer.query.by
    if not by:
        return {KEYS[0]: None, KINDS[0]: None}
    keys = keys_of(row.group, by)
    return {
        name: value
        for key, key_name, kind_name in zip(keys, KEYS, KINDS, strict=False)
        for name, value in ((key_name, key), (kind_name, kind_of(key).value))
    }


def kinds_of(answer: Answer, row: Row) -> list[str]:
    """Say what the row's value of each dimension is."""
    return [kind_of(key).value for key in keys_of(row.group, answer.query.by)]


def names_of_kinds(answer: Answer) -> tuple[str, ...]:
    """Name the columns of these; there is one without a breakdown, too, and it is empty."""
    return KINDS[: max(1, len(answer.query.by))]


def unit_of(of_unit: UnitSums) -> dict[str, object]:
    """Write the sums of a unit: its quantity and the cost of its calls as exact strings."""
    sums = of_unit.sums
    return {
        "unit": of_unit.unit,
        "quantity": f"{of_unit.quantity:f}",
        "calls": sums.calls,
        "unpriced_calls": sums.unpriced_calls,
        "cost_of_calls": exact(money.stored(sums.cost)),
    }


def as_csv(answer: Answer) -> str:
    """Write the rows, with the keys exactly as they were recorded: `formula_keys` says which a spreadsheet may run."""
    by = answer.query.by
    rows = (
        (start_of(answer, row), *(keys_of(row.group, by) if by else [None]), *_cells(answer, row))
        for row in answer.rows
    )
    return written(KEYS[: max(1, len(by))], (*columns_of(answer), *names_of_kinds(answer)), rows)


def as_spreadsheet(answer: Answer) -> str:
    """Write the rows for a spreadsheet: keys in words, with an apostrophe before one that it would take for a
    formula; and with the mark by which it knows UTF-8."""
    by = answer.query.by
    rows = (
        (start_of(answer, row), *(map(shown_cell, keys_of(row.group, by)) if by else [""]), *_cells(answer, row))
        for row in answer.rows
    )
    return BOM + written(by or KEYS[:1], (*columns_of(answer), *names_of_kinds(answer)), rows)


def written(keys: Iterable[str], columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    return "".join(map(csv_line, (("start", *keys, *columns), *rows)))


def csv_line(cells: tuple[object, ...]) -> str:
    """Write a line as others read it: what holds any end of a line is in quotation marks."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # it quotes no other ends of lines than its own
    return text.getvalue().removesuffix("\r\n") + "\n"


def shown_cell(key: str | None) -> str:
    """Write a key for a spreadsheet, exactly but for the apostrophe before what it would take for a formula."""
    text = words_of(key)
    return f"'{text}" if re.match(FORMULA, text) else text


def formula_keys(answer: Answer) -> list[str]:
    """List the keys that a spreadsheet would take for formulas."""
    keys = dict.fromkeys(key for group in answer.groups for key in group or ())
    return [key for key in keys if key and not key.startswith("'") and re.match(FORMULA, key)]


def as_table(answer: Answer) -> str:
    """Write aligned columns, a line of totals, and a line that says where the numbers come from."""
    by = answer.query.by
    label = ["start", *by]
    lines = [[*label, *columns_of(answer)]]
    for row in answer.rows:
        lines.append([start_of(answer, row), *map(named, keys_of(row.group, by)), *grouped(answer, row.sums)])
    lines.append(["total", *("" for _ in by), *grouped(answer, answer.totals)])
    source = provenance(answer.plan, answer.query.zone, answer.as_of)
    unknown = f" {answer.without_latency}" if answer.without_latency else ""
    return f"{aligned(lines, left=len(label))}\n\n{source}{unknown}\n"


def aligned(lines: list[list[str]], left: int) -> str:
    """Align cells in columns; the first `left` columns to the left, the rest, numbers, to the right."""
    widths = [max(map(width_of, column)) for column in zip(*lines, strict=True)]

    def cells(line: list[str]) -> Iterable[str]:
        for number, (cell, width) in enumerate(zip(line, widths, strict=True)):
            room = " " * (width - width_of(cell))
            yield cell + room if number < left else room + cell

    return "\n".join("  ".join(cells(line)).rstrip() for line in lines)


def width_of(cell: str) -> int:
    """Count the characters of a cell that take room."""
    return len(cell) - cell.count(FSI) - cell.count(PDI)


def start_of(answer: Answer, row: Row) -> str:
    """Write the row's local date; for hours its local time with the offset, so that the two of a repeated hour
    differ."""
    if answer.query.bucket == Bucket.HOUR:
        return answer.query.local(row.start).isoformat()
    return days.date_of(row.start, answer.query.zone).isoformat()


def measured(sums: Sums) -> dict[str, int | str]:
    costs = {name: exact(money.stored(getattr(sums, name))) for name in COSTS}
    return {name: exact(getattr(sums, name)) for name in COLUMNS} | costs


def latencies_of(latency: Latency) -> dict[str, int | str | None]:
    """Write what LATENCY_COLUMNS name; None for what is not defined without calls."""
    rate, values = latency.tokens_per_second, dict[str, int | str | None]()
    sums = (latency.calls, latency.milliseconds, latency.output_tokens)
    values |= dict(zip(LATENCIES, (*sums, None if rate is None else exact(rounded_rate(rate))), strict=True))
    for name, percent in PERCENTILES.items():
        interval = latency.percentile(percent)
        values[name] = None if interval is None else interval.first if name.endswith("from") else interval.last
    return values


def measured_of(answer: Answer, sums: Sums) -> dict[str, int | str | None]:
    """As `measured`, with latencies where they were asked for, and with None for what is not known for a part of the
    answer's range: its sum would be too small."""
    latencies = latencies_of(sums.latency or Latency()) if answer.query.with_latency else {}
    return {**measured(sums), **latencies, **dict.fromkeys(_unknown(answer))}


def cells_of(answer: Answer, sums: Sums) -> dict[str, int | str | None]:
    """The same for a file, in words where it is not known."""
    return {**measured_of(answer, sums), **dict.fromkeys(_unknown(answer), NOT_KNOWN)}


def _cells(answer: Answer, row: Row) -> list[int | str]:
    """Write what is measured, and what kind of a group it is of, if of any."""
    return [*_measured(answer, row.sums), *(kinds_of(answer, row) or [""])]


def _measured(answer: Answer, sums: Sums) -> list[int | str]:
    return ["" if value is None else value for value in cells_of(answer, sums).values()]


def exact(value: int | Decimal) -> int | str:
    return f"{value:f}" if isinstance(value, Decimal) else value


def grouped(answer: Answer, sums: Sums) -> list[str]:
    """Write sums for people: as exact, with thousands set apart."""
    return [value if value in ("", NOT_KNOWN) else f"{Decimal(value):,f}" for value in _measured(answer, sums)]
