"""The state of a page as the query of its URL; aggregates.query.forms reads it back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote_plus, urlencode

from aggregates.domain import ranges
from aggregates.domain.ranges import Range
from aggregates.domain.texts import SPELLED, visible
from aggregates.query.selection import (
    AUTO,
    BARS,
    DATES,
    DEFAULT_BY,
    DEFAULT_TOP,
    NO_BREAKDOWN,
    CallSelection,
    GroupSelection,
    Selection,
)
from aggregates.query.stored_selections import LONGEST, is_long, key_of, parameters_of

DEFAULTS = {
    "measure": "cost",
    "by": DEFAULT_BY,
    "subgroup": NO_BREAKDOWN,
    "top": str(DEFAULT_TOP),
    "bucket": AUTO,
    "chart": BARS,
    "compare": "",
}


def range_parameters(chosen: Range) -> dict[str, str]:
    """Give the URL parameters that choose this range again; none for the default one."""
    if chosen.name == "custom":
        return {"range": "custom", "from": str(chosen.first), "to": str(chosen.through)}
    return {} if chosen.name == ranges.DEFAULT else {"range": chosen.name}


def range_query(chosen: Range) -> str:
    """Write the URL query that chooses this range: with its “?”, or nothing for the default one."""
    return written(range_parameters(chosen))


def query_string(selection: Selection) -> str:
    """Write the URL query that a form reads this selection from: with its “?”, or nothing for the default view."""
    return written(range_parameters(selection.range) | parameters_beside_range(selection))


def parameters_beside_range(selection: Selection) -> dict[str, str | list[str]]:
    """Give the URL parameters that say what to see of a range, without those that are as by default."""
    chosen: dict[str, str] = {
        "measure": selection.measure,
        "by": selection.by or NO_BREAKDOWN,
        "subgroup": selection.subgroup or NO_BREAKDOWN,
        "top": str(selection.top),
        "bucket": selection.bucket,
        "chart": selection.chart,
        "compare": selection.compare,
    }
    parameters: dict[str, str | list[str]] = {name: value for name, value in chosen.items() if value != DEFAULTS[name]}
    if selection.beside and selection.compared_with == DATES:
        parameters |= {"compare_from": str(selection.beside.first), "compare_to": str(selection.beside.last)}
    if is_long(selection):
        parameters["set"] = key_of(selection)
    else:
        parameters |= parameters_of(selection.filters, selection.excluded)
    if hidden := [key for key in selection.hidden if key is not None]:
        parameters["hide"] = hidden
    if selection.columns:
        parameters["col"] = list(selection.columns)
    if selection.view is not None:
        parameters["view"] = str(selection.view)
    if isinstance(selection, CallSelection):
        parameters |= _parameters_of_calls(selection)
    if isinstance(selection, GroupSelection):
        parameters |= {"sort": selection.order} if selection.order != "cost" else {}
        parameters |= {"find": selection.sought} if selection.sought else {}
    return parameters | ({"hide_other": "1"} if None in selection.hidden else {})


def query_of_change(selection: Selection, changed: Selection, what: str, name: str, value: str) -> str:
    """Write the URL query of a changed selection; of one that is too long, what changes: `only`, `leave` or `drop`."""
    if not is_long(changed):
        return query_string(changed)
    query = query_string(replace(selection, hidden=()))
    return f"{query}{'&' if query else '?'}{urlencode({what: f'{name}:{value}'})}"


def queries_of_values(selection: Selection, name: str) -> Callable[[str], str]:
    """Write the URL queries of what keeps only one value of a dimension, as `query_of_change` does for each; what they
    have in common once."""
    changed = selection.with_filter(name, "")
    filters = urlencode(parameters_of(changed.filters, changed.excluded), doseq=True)
    room = -1 if is_long(changed) else LONGEST - len(filters)
    before, _, after = f"&{query_string(changed)[1:]}".partition(f"&{name}=")

    def query_of(value: str) -> str:
        if len(text := quote_plus(value)) > room:
            return query_of_change(selection, selection.with_filter(name, value), "only", name, value)
        return f"?{f'{before}&'[1:]}{name}={text}{after}"

    return query_of


def query_of_pairs(selection: Selection, changed: Selection, pairs: Sequence[tuple[str, str]]) -> str:
    """Write the URL query of what keeps only these values of their dimensions, as `query_of_change` does for one."""
    if not is_long(changed):
        return query_string(changed)
    query = query_string(replace(selection, hidden=()))
    return f"{query}{'&' if query else '?'}{only_query(pairs)}"


def only_query(pairs: Sequence[tuple[str, str]]) -> str:
    """Write what an address says of values that alone are to be kept of their dimensions."""
    return urlencode({"only": [f"{name}:{value}" for name, value in pairs]}, doseq=True)


def _parameters_of_calls(selection: CallSelection) -> dict[str, str | list[str]]:
    status: dict[str, str | list[str]] = {"status": selection.status} if selection.status else {}
    part = selection.part
    sort = {"sort": selection.sort} if selection.sort else {}
    shown = {"show": list(selection.shown)} if selection.shown else {}
    return status | sort | shown | ({"since": iso(part.start), "until": iso(part.end)} if part else {})


def iso(instant: datetime) -> str:
    """Write an instant as addresses have it."""
    return instant.isoformat().replace("+00:00", "Z")


def flat(parameters: Mapping[str, str | list[str]]) -> list[tuple[str, str]]:
    """Flatten parameters to pairs, for the hidden inputs of a form: browsers would make CR LF of any end of a line."""
    return [
        (f"{name}{SPELLED}", visible(value)) if {"\r", "\n"} & {*value} else (name, value)
        for name, values in parameters.items()
        for value in ([values] if isinstance(values, str) else values)
    ]


def written(parameters: Mapping[str, str | list[str]]) -> str:
    return f"?{urlencode(parameters, doseq=True)}" if parameters else ""
