"""A row as the log takes it, a call or a charge: the one typed form that every way in produces, every field checked."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from aggregates.domain import money
from aggregates.domain.labels import Labels, check_labels
from aggregates.domain.measures import rate
from aggregates.domain.numbers import read_decimal
from aggregates.domain.texts import normal_form, size_of
from aggregates.domain.units import Units, check_units, check_within

MAX_TEXT_BYTES = 256  # of each text, as UTF-8: keeps index entries within PostgreSQL's limit
MAX_COUNT = 1_000_000_000  # tokens of a kind in one call: keeps the sum over any log within a bigint
MAX_COST = 1_000_000_000  # US dollars for one call; of a charge, either way
CALL, CHARGE = KINDS = ("call", "charge")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)  # how far ahead of ours a sender's clock may be

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_NUMBER = re.compile(r"-?\d{1,20}(\.\d*)?")
MILLISECONDS_FROM = 100_000_000_000  # epoch numbers from here on: as seconds this is the year 5138
STATUSES = {"ok": "ok", "success": "ok", "error": "error", "failure": "error"}


class InvalidCall(ValueError):
    """A row that is no call: the first field that is wrong, and what was expected."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


def parse_time(value: object) -> datetime:
    """An instant from ISO 8601 text (UTC if it names no zone), or from epoch seconds or milliseconds.

    Digits below a microsecond are cut off. Raises ValueError.
    """
    text = str(value).strip()
    is_iso = isinstance(value, str) and text[4:5] == "-"  # nearly all are
    try:
        if not is_iso and (EPOCH_NUMBER.fullmatch(text) or isinstance(value, Decimal)):
            number = Decimal(text)
            if abs(number) >= MILLISECONDS_FROM * 1000:
                raise ValueError
            seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
            return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is UTC:
            return instant
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, ArithmeticError):
        raise ValueError("expected a time: ISO 8601, or epoch seconds or milliseconds") from None


def check_time(value: object) -> datetime:
    instant = value if isinstance(value, datetime) and value.tzinfo is UTC else parse_time(value)
    if instant < EARLIEST:
        raise ValueError(f"expected a time from the year {EARLIEST.year} on, got {instant:%Y-%m-%d %H:%M} UTC")
    if instant > datetime.now(UTC) + CLOCK_SKEW:
        raise ValueError(f"expected a time that is not in the future, got {instant:%Y-%m-%d %H:%M} UTC")
    return instant


def check_text(value: object) -> str:
    if type(value) is not str and (not isinstance(value, (str, int, Decimal)) or isinstance(value, bool)):
        raise ValueError("expected text")
    text = str(value).strip()
    try:
        size = size_of(text)
    except UnicodeEncodeError:
        raise ValueError("expected text in UTF-8") from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"expected at most {MAX_TEXT_BYTES} bytes of text, got {size:,}")
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


def check_name(value: object) -> str:
    text = check_text(value)
    if not text:
        raise ValueError("expected a value")
    return text


def check_count(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_COUNT:  # nearly all are, or plain digits, and those go fast
        return value
    plain = isinstance(value, str) and len(value) <= 10 and value.isascii() and value.isdigit()
    number = int(str(value)) if plain else _number(value)
    if number is None or not 0 <= number <= MAX_COUNT or number != int(number):
        raise ValueError(f"expected a whole number from 0 to {MAX_COUNT:,}")
    return int(number)


def check_cost(value: object) -> Decimal:
    amount = _number(value)
    if amount is not None and 0 <= amount < MAX_COST:
        amount = money.stored(amount)
        if amount < MAX_COST:  # rounding may have taken it there
            return amount
    raise ValueError(f"expected an amount of US dollars from 0 to below {MAX_COST:,}")


def check_amount(value: object) -> Decimal:
    """A cost that may be below 0: whether the row is one that may have that is for `parse_call` to say."""
    amount = _number(value)
    if amount is None or amount >= 0:
        return check_cost(value)
    try:
        stored = check_cost(amount.copy_negate()).copy_negate()  # -amount would round, and overflow
    except ValueError:
        stored = None
    if not stored:  # nothing stands for less than nothing
        raise ValueError(f"expected an amount of US dollars between -{MAX_COST:,} and {MAX_COST:,}, of 12 decimals")
    return stored


def _number(value: object) -> Decimal | None:
    """The exact number that a value stands for; None if it is not a finite one."""
    if isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, Decimal) else read_decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def check_status(value: object) -> str:
    status = STATUSES.get(str(value).strip().lower())
    if status is None:
        raise ValueError("expected ok or error")
    return status


def check_kind(value: object) -> str:
    kind = str(value).strip().lower()
    if kind not in KINDS:
        raise ValueError("expected call or charge")
    return kind


# Of service tiers, speeds and regions of inference, those that cost what is plainly listed.
PLAIN_TIERS = frozenset(
    {
        "",
        "standard",
        "standard_only",
        "normal",
        "default",
        "auto",
        "on_demand",
        "ondemand",
        "none",
        "null",
        "global",
        "not_available",
    }
)
ON_DEMAND = "on_demand_"  # before Google's own names


def check_tier(value: object) -> str:
    """Name a tier in small letters, of several each once and joined by “+”; the plain ones are ""."""
    parts = (part.strip().removeprefix(ON_DEMAND) for part in check_text(value).lower().split("+"))
    return "+".join(sorted({part for part in parts if part not in PLAIN_TIERS}))


class Call(NamedTuple):
    """One request to a model, or a charge, every field checked: `parse_call` makes it.

    A charge (a credit, a refund, a seat, a fee) adds its cost, which may be negative, and nothing else: it has no
    tokens and need not have a model.

    Token counts follow OpenTelemetry's GenAI convention: parts are within their whole. `service_tier` is "" for the
    plain one, else a tier (batch, flex, priority), a speed (fast), a region of inference, or several joined by “+”;
    `units` is what has a price of its own. `price_model` names the model whose price holds where `model` is an alias.
    `key` says with which API key the call came: our doors set it, no sender.
    """

    timestamp: datetime
    model: str = ""
    request_id: str = ""
    operation: str = ""
    provider: str = ""
    user_id: str = ""
    subject_id: str = ""
    project: str = ""
    status: str = "ok"
    latency_ms: int | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = None
    service_tier: str = ""
    kind: str = CALL
    units: Units = ()
    labels: Labels = ()
    price_model: str = ""
    key: str = ""

    @property
    def cache_hit_rate(self) -> Decimal:
        return rate(self.cached_tokens, self.input_tokens)


def as_logged(call: Call) -> Call:
    """Write the texts of a call in their normal form, but for its id: by that others know it."""
    are_ascii = "".join(call[1:8]).isascii() and call.service_tier.isascii() and call.price_model.isascii()
    if are_ascii and all(f"{name}{text}".isascii() for name, text in call.labels):  # nearly all are
        return call
    texts = [getattr(call, name) for name in TEXTS]
    labels = sorted((normal_form(name), normal_form(text)) for name, text in call.labels)
    normal: dict[str, Any] = dict(zip(TEXTS, map(normal_form, texts), strict=True))
    return call._replace(**normal, labels=tuple(dict(labels).items()))


def with_key(call: Call, key: str) -> Call:
    """The call, with the key that it came with."""
    return Call._make((*call[:-1], key))  # the last field; `_replace` takes three times as long


TEXTS = ("model", "operation", "provider", "user_id", "subject_id", "project", "service_tier", "price_model")
KEY = "key"
FIELDS = tuple(field for field in Call._fields if field != KEY)  # those that are sent
REQUIRED = ("timestamp", "model")  # of a call; a charge needs a timestamp and a cost

# How a given value becomes the field's: each raises ValueError with what was expected.
CHECKS: Mapping[str, Callable[[object], object]] = {
    "timestamp": check_time,
    "model": check_name,
    "request_id": check_text,
    "operation": check_text,
    "provider": check_text,
    "user_id": check_text,
    "subject_id": check_text,
    "project": check_text,
    "status": check_status,
    "latency_ms": check_count,
    "input_tokens": check_count,
    "cached_tokens": check_count,
    "cache_write_tokens": check_count,
    "cache_write_1h_tokens": check_count,
    "output_tokens": check_count,
    "reasoning_tokens": check_count,
    "cost": check_amount,
    "service_tier": check_tier,
    "kind": check_kind,
    "units": check_units,
    "labels": check_labels,
    "price_model": check_text,
}
COUNTS = tuple(name for name in FIELDS if name.endswith("_tokens"))
OBJECTS = ("units", "labels")  # fields that are no single values


def parse_call(fields: Mapping[str, object]) -> Call:
    """A call from its fields by name; raises InvalidCall. null and '' mean the same as leaving the field out.

    What has a negative cost and no tokens is a charge, unless it says otherwise.
    """
    checked = {}
    for name, value in fields.items():
        if value is None or value == "":
            continue
        check = CHECKS.get(name)
        if check is None:
            raise InvalidCall(name, "there is no such field")
        try:
            checked[name] = check(value)
        except ValueError as error:
            raise InvalidCall(name, str(error)) from None
    if "timestamp" not in checked:
        raise InvalidCall("timestamp", "expected a value")
    call = Call(**checked)  # type: ignore[arg-type]  # CHECKS gives each field its type
    if "kind" not in checked and call.cost is not None and call.cost < 0 and not any(map(checked.get, COUNTS)):
        call = call._replace(kind=CHARGE)
    (_check_charge if call.kind == CHARGE else _check_call)(call)
    return call


def _check_charge(charge: Call) -> None:
    if charge.cost is None:
        raise InvalidCall("cost", "expected an amount of US dollars: a charge is nothing else")
    for name in COUNTS:
        if getattr(charge, name):
            raise InvalidCall(name, "expected none: a charge has no tokens")
    if charge.units:
        raise InvalidCall("units", "expected none: a charge is money alone")
    if charge.latency_ms is not None:
        raise InvalidCall("latency_ms", "expected none: a charge takes no time")
    if charge.status != "ok":
        raise InvalidCall("status", "expected ok: a charge is no call that could fail")


def _check_call(call: Call) -> None:
    if not call.model:
        raise InvalidCall("model", "expected a value")
    if call.cost is not None and call.cost < 0:
        limit = f"expected an amount of US dollars from 0 to below {MAX_COST:,}"
        raise InvalidCall("cost", f"{limit}: only a charge, which has no tokens, may cost less")
    if call.cached_tokens + call.cache_write_tokens > call.input_tokens:
        raise InvalidCall("", "expected cached_tokens + cache_write_tokens to be within input_tokens")
    if call.cache_write_1h_tokens > call.cache_write_tokens:
        raise InvalidCall("", "expected cache_write_1h_tokens to be within cache_write_tokens")
    if call.reasoning_tokens > call.output_tokens:
        raise InvalidCall("", "expected reasoning_tokens to be within output_tokens")
    if call.units:
        try:
            check_within(call.units, call._asdict())
        except ValueError as error:
            raise InvalidCall("units", str(error)) from None
