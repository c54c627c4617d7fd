"""Calls as rows of the log: which columns to select, and how a row becomes a call."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from aggregates.domain.calls import FIELDS, Call
from aggregates.domain.labels import check_labels
from aggregates.domain.units import check_units

JSON = ("units", "labels")  # selected as text, as numbers in it are exact


def fields_in_sql(instead: Mapping[str, sql.Composable] | None = None, names: Sequence[str] = FIELDS) -> sql.Composed:
    """Compose the columns of a call's fields of these names, in their order; some of them `instead` something else."""
    columns = (
        (instead or {}).get(name, sql.SQL("{}::text" if name in JSON else "{}").format(sql.Identifier(name)))
        for name in names
    )
    return sql.SQL(", ").join(columns)


def call_of(row: Sequence[Any], names: Sequence[str] = FIELDS) -> Call:
    """Make a row of those columns a call; of FIELDS, the key that it came with is none."""
    call = Call(*row) if names is FIELDS else Call(**dict(zip(names, row, strict=True)))
    if call.units is None or call.labels is None:
        call = call._replace(units=call.units or (), labels=call.labels or ())
    if call.units:
        call = call._replace(units=check_units(call.units))
    return call._replace(labels=check_labels(call.labels)) if call.labels else call


def logged_call(row: Any) -> Call:
    """Make a UsageLog a call."""
    fields = {name: getattr(row, name) for name in FIELDS}
    details = {"units": check_units(fields["units"] or {}), "labels": check_labels(fields["labels"] or {})}
    return Call(**{**fields, **details})
