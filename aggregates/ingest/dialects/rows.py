"""What a foreign row holds: values by their paths, counts, and objects that may be written as text.

No value that does not fit raises: a field that it alone makes is given it as it is, for the call to do without, or to
be none; and what becomes a part of a field is told as a misfit.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from aggregates.domain.calls import check_count, parse_time
from aggregates.ingest.fitting import Misfit

Fields = dict[str, object]
# The fields of each call that a row tells of: of none if it is of another kind. What of a call did not fit is added to
# the misfits before it is given. Raises InvalidCall.
Reader = Callable[[Mapping[str, Any], list[Misfit]], Iterable[Fields]]


def is_single(value: object) -> bool:
    """Whether a value may be that of a field: an object or a list is none."""
    return not isinstance(value, (dict, list))


def value_of(row: Mapping[str, Any], *paths: str) -> Any:
    """What is given at the first of these dotted paths that has anything, None if none has."""
    for path in paths:
        found = _at(row, path)
        if found is not None and found != "":
            return found
    return None


def first_of(row: Mapping[str, Any], field: str, misfits: list[Misfit], *paths: str) -> Any:
    """The first single value at these paths, for a field, as `one_of` has it."""
    return one_of(field, misfits, *(_at(row, path) for path in paths))


def one_of(field: str, misfits: list[Misfit], *values: Any) -> Any:
    """The first single value of several that are given for a field; an object or a list before it is a misfit.

    Where there are no others, the first of them stays; None if nothing is given.
    """
    given = [value for value in values if value is not None and value != ""]
    if not given or is_single(given[0]):
        return given[0] if given else None
    found = next(filter(is_single, given), None)
    if found is None:
        return given[0]
    misfits.append(Misfit(field, "left out: expected a single value"))
    return found


def _at(row: Mapping[str, Any], path: str) -> Any:
    if "." not in path:
        return row.get(path) if isinstance(row, Mapping) else None
    found: Any = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def text_of(row: Mapping[str, Any], *paths: str) -> str:
    """The text of what is given at these paths; "" of nothing, and of an object or a list."""
    value = value_of(row, *paths)
    return "" if value is None or not is_single(value) else str(value)


def out_of(value: object, made: Callable[[str], object]) -> object:
    """What is made of the text of a value, "" if there is none. An object or a list stays."""
    return made("" if value is None else str(value)) if is_single(value) else value


def joined(separator: str, *values: object) -> object:
    """The texts of those values that are there, joined. An object or a list among them stays, and is all that does."""
    given = [value for value in values if value is not None and value != ""]
    return next((value for value in given if not is_single(value)), separator.join(map(str, given)))


def count(row: Mapping[str, Any], field: str, misfits: list[Misfit], *paths: str) -> int:
    """The first count at one of these paths, for a field; 0 if there is none, which is a misfit of other values."""
    return count_in([_at(row, path) for path in paths], field, misfits)


def count_in(values: Iterable[object], field: str, misfits: list[Misfit]) -> int:
    """The first count among the values, as `count` has it."""
    reason = ""
    for value in values:
        if value is None or value == "":
            continue
        try:
            return check_count(value)
        except ValueError as error:
            reason = reason or str(error)
    if reason:
        misfits.append(Misfit(field, f"left out: {reason}"))
    return 0


def duration(start: object, end: object, *, before: int | None = None) -> object:
    """Milliseconds from one time to the other, `before` where it ends earlier, None if either is not told. An end
    that is no time stays as it is."""
    if end is None:
        return None
    try:
        ended = parse_time(end)
    except ValueError:
        return end
    try:
        taken = round((ended - parse_time(start)).total_seconds() * 1000)
    except ValueError:
        return None
    return taken if taken >= 0 else before


def last_part(folder: str) -> str:
    """The name of a folder, without those around it."""
    return re.split(r"[/\\]", folder.rstrip("/\\"))[-1]


def mapping_of(value: object) -> Mapping[str, Any]:
    """An object, also one that is written as text, as exports of tables have it; an empty one for anything else."""
    found = _parsed(value)
    return found if isinstance(found, dict) else {}


def object_of(row: Mapping[str, Any], misfits: list[Misfit], *names: str) -> Mapping[str, Any]:
    """The first object under these names that holds anything, as `mapping_of` has it; other values are misfits."""
    other = ""
    for name in names:
        value = row.get(name)
        found = None if value == "" else _parsed(value)
        if isinstance(found, dict) and found:
            return found
        if found is not None and not isinstance(found, dict):
            other = other or name
    if other:
        misfits.append(Misfit("", f"{other} left out: expected an object"))
    return {}


def list_of(value: object) -> list[Any]:
    """A list, also one that is written as text; an empty one for anything else."""
    found = _parsed(value)
    return found if isinstance(found, list) else []


def _parsed(value: object) -> object:
    """What a text is as JSON, the text itself if it is none; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return value


def parts_beside(whole: int, parts: int, rest: int, total: int, *, usually: bool) -> bool:
    """Whether parts are told beside their whole, and not within it, as the total of all tokens with the rest tells.

    Where it does not tell: as `usually`, unless the parts are more than the whole.
    """
    if parts and total == whole + rest:
        return parts > whole
    if parts and total == whole + parts + rest:
        return True
    return usually or parts > whole


def told_beside(whole: int, parts: Sequence[int], total: int) -> tuple[int, ...]:
    """Of parts those that are told beside their whole, as the total tells, and 0 for the others; all if it does not."""
    choices = product(*((part, 0) for part in parts))
    return next((choice for choice in choices if whole + sum(choice) == total), tuple(parts))
