"""A call as the log takes it: the one typed form that every way in produces, every field checked."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from aggregates import money
from aggregates.measures import rate

MAX_TEXT_BYTES = 256  # of each text, as UTF-8: keeps index entries within PostgreSQL's limit
MAX_COUNT = 1_000_000_000  # tokens of a kind in one call: keeps the sum over any log within a bigint
MAX_COST = 1_000_000_000  # US dollars for one call
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
    try:
        if EPOCH_NUMBER.fullmatch(text) or isinstance(value, Decimal):
            number = Decimal(text)
            if abs(number) >= MILLISECONDS_FROM * 1000:
                raise ValueError
            seconds = number / 1000 if abs(number) >= MILLISECONDS_FROM else number
            return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, ArithmeticError):
        raise ValueError("expected a time: ISO 8601, or epoch seconds or milliseconds") from None


def check_time(value: object) -> datetime:
    instant = parse_time(value)
    if instant < EARLIEST:
        raise ValueError(f"expected a time from the year {EARLIEST.year} on, got {instant:%Y-%m-%d %H:%M} UTC")
    if instant > datetime.now(UTC) + CLOCK_SKEW:
        raise ValueError(f"expected a time that is not in the future, got {instant:%Y-%m-%d %H:%M} UTC")
    return instant


def check_text(value: object) -> str:
    if not isinstance(value, (str, int, Decimal)) or isinstance(value, bool):
        raise ValueError("expected text")
    text = str(value).strip()
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("expected text in UTF-8") from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"expected at most {MAX_TEXT_BYTES} bytes of text, got {size:,}")
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


def not_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def check_count(value: object) -> object:
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value) <= MAX_COUNT):  # 1E+999999 is one, too
        raise ValueError(f"expected a whole number from 0 to {MAX_COUNT:,}")
    return not_boolean(value)


def check_cost(value: object) -> Decimal:
    try:
        amount = Decimal(str(not_boolean(value)).strip())
    except InvalidOperation:
        raise ValueError("expected an amount of US dollars") from None
    if not amount.is_finite() or not 0 <= amount < MAX_COST:
        raise ValueError(f"expected an amount of US dollars from 0 to below {MAX_COST:,}")
    return money.stored(amount)


def check_status(value: object) -> str:
    status = STATUSES.get(str(value).strip().lower())
    if status is None:
        raise ValueError("expected ok or error")
    return status


Text = Annotated[str, BeforeValidator(check_text)]
Count = Annotated[int, BeforeValidator(check_count), Field(ge=0, le=MAX_COUNT)]


class Call(BaseModel):
    """One request to a model. Token counts follow OpenTelemetry's GenAI convention: parts are within their whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timestamp: Annotated[datetime, BeforeValidator(check_time)]
    model: Annotated[Text, Field(min_length=1)]
    request_id: Text = ""
    operation: Text = ""
    provider: Text = ""
    user_id: Text = ""
    subject_id: Text = ""
    project: Text = ""
    status: Annotated[Literal["ok", "error"], BeforeValidator(check_status)] = "ok"
    latency_ms: Count | None = None
    input_tokens: Count = 0
    cached_tokens: Count = 0
    cache_write_tokens: Count = 0
    output_tokens: Count = 0
    reasoning_tokens: Count = 0
    cost: Annotated[Decimal, BeforeValidator(check_cost)] | None = None

    @model_validator(mode="before")
    @classmethod
    def leave_out_empty(cls, fields: Any) -> Any:
        """null and '' mean the same as leaving the field out."""
        return {name: value for name, value in fields.items() if value is not None and value != ""}

    @model_validator(mode="after")
    def check_parts(self) -> "Call":
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError("expected cached_tokens + cache_write_tokens to be within input_tokens")
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError("expected reasoning_tokens to be within output_tokens")
        return self

    @property
    def cache_hit_rate(self) -> Decimal:
        return rate(self.cached_tokens, self.input_tokens)


FIELDS = tuple(Call.model_fields)


def parse_call(fields: Mapping[str, object]) -> Call:
    """A call from its fields by name; raises InvalidCall."""
    try:
        return Call.model_validate(fields)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        reason = error["msg"].removeprefix("Value error, ")
        raise InvalidCall(".".join(str(part) for part in error["loc"][:1]), reason) from None
