"""The usual call: all of its fields looked at together; `parse_call` reads any other, and says what is wrong in it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import product
from operator import itemgetter
from typing import Any

from aggregates.domain import money
from aggregates.domain.calls import (
    CALL,
    CLOCK_SKEW,
    EARLIEST,
    FIELDS,
    MAX_COST,
    MAX_COUNT,
    MAX_TEXT_BYTES,
    Call,
)

ABSENT: Mapping[str, object] = {"timestamp": None, **{name: Call._field_defaults.get(name, "") for name in FIELDS[1:]}}
TYPES = {
    "timestamp": (str, datetime),
    "latency_ms": (int, type(None)),
    "cost": (type(None), str, Decimal, int),
    **dict.fromkeys(("units", "labels"), (tuple,)),  # empty ones: those of others are unusual
}
SHAPES = frozenset(product(*(TYPES.get(name, (type(ABSENT[name]),)) for name in FIELDS)))
NO_TEXTS: Mapping[str, object] = dict.fromkeys(FIELDS, "")
TEXTS = frozenset({str, datetime})  # a time may be made of several texts
NUMBERS = slice(FIELDS.index("latency_ms"), FIELDS.index("cost"))
MOST_DIGITS = 70  # of all numbers together
_values = itemgetter(*FIELDS)


def usual_call(fields: Mapping[str, object]) -> Call | None:
    """Read a call of plain values as `parse_call` does; None where anything in it is unusual, or wrong."""
    filled = {**ABSENT, **fields}
    if len(filled) > len(FIELDS):
        return None
    values = _values(filled)
    if tuple(map(type, values)) not in SHAPES:
        given = {name: value for name, value in fields.items() if value is not None and value != ""}
        values = _values({**ABSENT, **given})
        if tuple(map(type, values)) not in SHAPES:
            return None
    return _checked(values)


def usual_text_call(fields: Mapping[str, object]) -> Call | None:
    """Read a call of texts alone, as files of columns hold them; None where anything in it is unusual, or wrong."""
    filled = {**NO_TEXTS, **fields}
    if len(filled) > len(FIELDS):
        return None
    values: tuple[Any, ...] = _values(filled)
    if not set(map(type, values)) <= TEXTS:
        return None
    latency, *tokens = values[NUMBERS]
    digits = "".join(values[NUMBERS])
    if digits and not (digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS):
        return None
    *_, cost, tier, kind, units, labels, price_model = values
    if units or labels:
        return None
    numbers = (int(latency) if latency else None, *[int(text) if text else 0 for text in tokens])
    rest = (cost or None, tier, kind or CALL, (), (), price_model)
    return _checked((*values[:8], values[8] or "ok", *numbers, *rest))


def _checked(values: Sequence[Any]) -> Call | None:
    """Check values of the usual types, in the order of FIELDS."""
    at, model, request_id, operation, provider, user, subject, project, status, latency, *rest = values
    given, cached, write, write_1h, output, reasoning, cost, tier, kind, units, labels, price_model = rest
    texts = (model, request_id, operation, provider, user, subject, project, price_model)
    if not (_are_plain(texts) and model and status in ("ok", "error") and kind == CALL):
        return None
    if tier or units or labels:
        return None
    if latency is not None and not 0 <= latency <= MAX_COUNT:
        return None
    if not (0 <= cached <= MAX_COUNT and 0 <= write_1h <= write and cached + write <= given <= MAX_COUNT):
        return None
    if not 0 <= reasoning <= output <= MAX_COUNT:
        return None
    instant = at if isinstance(at, datetime) else _instant(at)
    if instant is None or instant.tzinfo is not UTC or not EARLIEST <= instant <= datetime.now(UTC) + CLOCK_SKEW:
        return None
    if cost is not None:
        cost = _amount(cost)
        if cost is None:
            return None
    return Call._make((instant, *values[1:16], cost, "", CALL, (), (), price_model, ""))


def _are_plain(texts: Sequence[str]) -> bool:
    """Tell whether they are short, of visible ASCII characters, and without blanks around them."""
    joined = "".join(texts)
    if not (joined.isascii() and joined.isprintable()):
        return False
    if len(joined) > MAX_TEXT_BYTES and max(map(len, texts)) > MAX_TEXT_BYTES:
        return False
    return " " not in joined or all(text == text.strip() for text in texts)


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text) if text[4:5] == "-" else None
        return instant.astimezone(UTC) if instant and instant.tzinfo not in (None, UTC) else instant
    except (ValueError, ArithmeticError):
        return None


def _amount(value: str | Decimal | int) -> Decimal | None:
    try:
        amount = value if isinstance(value, Decimal) else _number(value)
    except InvalidOperation:
        return None
    if amount is None or not amount.is_finite() or not 0 <= amount < MAX_COST:
        return None
    amount = money.stored(amount)
    return amount if amount < MAX_COST else None


def _number(value: str | int) -> Decimal | None:
    if type(value) is str and ("_" in value or not value.isascii()):
        return None
    return Decimal(value)
