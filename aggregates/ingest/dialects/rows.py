"""What a foreign row holds: values by their paths, counts, and objects that may be written as text."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from aggregates.domain.calls import InvalidCall, check_count

Fields = dict[str, object]
# The fields of each call that a row tells of: of none if it is of another kind. Raises InvalidCall.
Reader = Callable[[Mapping[str, Any]], Iterable[Fields]]


def value_of(row: Mapping[str, Any], *paths: str) -> Any:
    """The first value that is given at one of these dotted paths, None if there is none; raises InvalidCall."""
    for path in paths:
        found: Any = row
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None or found == "":
            continue
        if isinstance(found, (dict, list)):
            raise InvalidCall(path, "expected a single value")
        return found
    return None


def count(row: Mapping[str, Any], *paths: str) -> int:
    """The first count at one of these paths, 0 if none is given; raises InvalidCall."""
    for path in paths:
        value = value_of(row, path)
        if value is not None:
            try:
                return check_count(value)
            except ValueError as error:
                raise InvalidCall(path, str(error)) from None
    return 0


def mapping_of(value: object) -> Mapping[str, Any]:
    """An object, also one that is written as text, as exports of tables have it; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """A list, also one that is written as text; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except (ValueError, ArithmeticError, RecursionError):
            return []
    return value if isinstance(value, list) else []


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
