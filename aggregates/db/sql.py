"""What statements are composed of: names of tables, lists of columns, and the sums of measures."""

from collections.abc import Iterable, Sequence
from typing import LiteralString

from django.db.models import DecimalField, Model
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from aggregates.domain.measures import MEASURES, Measure
from aggregates.models import DailyAggregate


def table(model: type[Model]) -> Identifier:
    """Name the table that keeps the rows of a model."""
    return Identifier(model._meta.db_table)


def listed(parts: Iterable[Composable]) -> Composed:
    """List expressions, with commas between them."""
    return SQL(", ").join(parts)


def columns(names: Iterable[str], of: str = "") -> Composed:
    """List columns by their names; `of` is the alias of the table that has them, where it has to be told."""
    return listed(Identifier(of, name) if of else Identifier(name) for name in names)


def table_expression(name: str, names: Composable, rows: Composable, how: LiteralString = "") -> Composed:
    """Name the columns of rows, for what follows WITH; `how` says whether they are materialized.

    Not behind the name of the table expression, as Citus loses names there.
    """
    parts = {"name": Identifier(name), "how": SQL(how), "rows": rows, "names": names}
    return SQL("{name} AS {how} (SELECT * FROM ({rows}) AS named ({names}))").format(**parts)


def array(texts: Iterable[str | None]) -> str:
    """Write texts as PostgreSQL writes a text[]; of many, psycopg's own way takes ten times as long."""
    listed = list(texts)
    if listed and None not in listed:  # nearly always: then all are quoted at once
        joined = "\0".join(listed)  # type: ignore[arg-type]
        if joined.count("\0") == len(listed) - 1:
            quoted = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
            return f'{{"{quoted}"}}'
    return "{" + ",".join(map(_quoted, listed)) + "}"


def _quoted(element: str | None) -> str:
    if element is None:
        return "NULL"
    if '"' in element or "\\" in element:
        element = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{element}"'


def text(statement: Composable) -> str:
    """Write a statement as text, as Django's cursor takes it."""
    return statement.as_string()


def _sum(measure: Measure, expression: Composable) -> Composed:
    """Sum an expression; whole numbers stay bigint, as sums of bigint would else be numeric."""
    return SQL("sum({})" if measure.is_decimal else "sum({})::bigint").format(expression)


def _zero(measure: Measure) -> Composable:
    """Write 0, with the decimals that sums of the measure have."""
    field = next(field for field in DailyAggregate._meta.concrete_fields if field.column == measure.column)
    if not isinstance(field, DecimalField):
        return SQL("0")
    return SQL("0::numeric({}, {})").format(Literal(field.max_digits), Literal(field.decimal_places))


def sum_of_part(measure: Measure, expression: Composable | None = None) -> Composed:
    """Sum a measure over rows of a part, or an expression of it, where NULL stands for 0: for a chunk's array that is
    not there."""
    return SQL("COALESCE({}, {})").format(_sum(measure, expression or Identifier(measure.name)), _zero(measure))


# The measures by their names, as the columns of a part.
NAMES = columns(measure.name for measure in MEASURES)
# Their sums over calls of the log; over the aggregates' columns of them; and over the rows of a part, under the same
# names.
SUMS_OF_CALLS = listed(_sum(measure, SQL(measure.of_call)) for measure in MEASURES)
SUMS_OF_COLUMNS = listed(
    SQL("{} AS {}").format(_sum(measure, Identifier(measure.column)), Identifier(measure.column))
    for measure in MEASURES
)
SUMS = listed(SQL("{} AS {}").format(sum_of_part(measure), Identifier(measure.name)) for measure in MEASURES)


def sums_of_calls(keys: Sequence[Composable], rows: Composable) -> Composed:
    """Select the sums of calls by keys; `rows` is what follows FROM, rows of the log."""
    places = listed(map(Literal, range(1, len(keys) + 1)))
    return SQL("SELECT {}, {} FROM {} GROUP BY {}").format(listed(keys), SUMS_OF_CALLS, rows, places)


def sums_of_shared_calls(keys: Sequence[Composable], rows: Composable) -> Composed:
    """Select the sums of calls by keys, where `rows` has what each call adds to every measure in the measure's
    column."""
    places = listed(map(Literal, range(1, len(keys) + 1)))
    return SQL("SELECT {}, {} FROM {} GROUP BY {}").format(listed(keys), SUMS_OF_COLUMNS, rows, places)


def sums_of_aggregates(
    keys: Iterable[Composable], rows: Composable, measures: Iterable[Measure] = MEASURES
) -> Composed:
    """Select the sums that aggregates hold, as they are, beside keys; `rows` is what follows FROM."""
    return SQL("SELECT {}, {} FROM {}").format(listed(keys), columns(measure.column for measure in measures), rows)
