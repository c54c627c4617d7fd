"""What providers billed, by day: OpenAI's costs and Anthropic's cost report, as pages of their APIs or as exports.

An amount of a line item becomes a charge of that day, with the line item as its subject: it is money without calls.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregates.domain.calls import CHARGE, InvalidCall, parse_time
from aggregates.domain.money import EXACT
from aggregates.domain.numbers import read_decimal
from aggregates.ingest.dialects.rows import Fields, first_of, text_of, value_of
from aggregates.ingest.dialects.sums import name_of, objects_of
from aggregates.ingest.fitting import Misfit

DAY = timedelta(days=1)
MAX_AMOUNT = Decimal(10**15)  # of anything, so that all can be divided; what a charge may be is less
CENTS = Decimal(100)  # in a dollar: Anthropic's API tells amounts in cents
# Where amounts of the same time differ, in an API and in an export.
OPENAI_GROUPS = ("organization_id", "project_id", "line_item", "user_id", "api_key_id")
ANTHROPIC_GROUPS = (
    *("workspace_id", "description", "cost_type", "token_type", "model", "service_tier", "context_window"),
    *("inference_geo", "speed", "account_id", "service_account_id"),
)
CONSOLE_GROUPS = (
    *("workspace", "api_key", "model", "model_version", "usage_type", "cost_type", "token_type", "context_window"),
    *("inference_geo", "speed"),
)
OPENAI_PAGE = "expected what OpenAI's costs API gives: a page, or a bucket with its times"
ANTHROPIC_PAGE = "expected what Anthropic's cost report gives: a page, or a bucket with its times"


class OpenAI:
    """Reads pages or buckets of OpenAI's costs API, and rows of its costs export."""

    def __init__(self) -> None:
        self._amounts = _Amounts()

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        for result in [row] if "amount_value" in row else _results(row, ("start_time", "end_time"), OPENAI_PAGE):
            start = value_of(result, "start_time")
            if not _is_over(result, "end_time"):
                continue
            item = text_of(result, "line_item")
            model, comma, _ = item.partition(", ")  # “gpt-5-2025-08-07, cached input”; others are of no model
            yield from self._amounts.charges(
                {
                    "timestamp": start,
                    "provider": "openai",
                    "model": model if comma else "",
                    "project": value_of(result, "project_id"),
                    "user_id": value_of(result, "user_id"),
                    "subject_id": value_of(result, "line_item"),
                    "request_id": name_of("openai-costs", start, result, OPENAI_GROUPS),
                },
                _amount(result, "amount.value", "amount_value"),
                value_of(result, "amount.currency", "amount_currency"),
            )


class Anthropic:
    """Reads pages or buckets of Anthropic's cost report, and rows of the Console's cost export."""

    def __init__(self) -> None:
        self._amounts = _Amounts()

    def __call__(self, row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
        if "usage_date_utc" in row:
            day = _time(row, "usage_date_utc")
            if day + DAY <= datetime.now(UTC):
                request_id = name_of("anthropic-console-costs", day.date(), row, CONSOLE_GROUPS)
                yield from self._charges(row, day, request_id, _amount(row, "cost_usd"), misfits)
            return
        for result in _results(row, ("starting_at", "ending_at"), ANTHROPIC_PAGE):
            if _is_over(result, "ending_at"):
                start = _time(result, "starting_at")
                request_id = name_of("anthropic-costs", start.isoformat(), result, ANTHROPIC_GROUPS)
                amount = EXACT.divide(_amount(result, "amount"), CENTS)
                yield from self._charges(result, start, request_id, amount, misfits)

    def _charges(
        self, row: Mapping[str, Any], start: datetime, request_id: str, amount: Decimal, misfits: list[Misfit]
    ) -> Iterator[Fields]:
        fields = {
            "timestamp": start,
            "provider": "anthropic",
            "model": first_of(row, "model", misfits, "model", "model_version"),
            "project": value_of(row, "workspace_id", "workspace"),
            "user_id": value_of(row, "account_id"),
            "subject_id": first_of(row, "subject_id", misfits, "description", "token_type", "cost_type"),
            "request_id": request_id,
        }
        yield from self._amounts.charges(fields, amount, value_of(row, "currency"))


class _Amounts:
    """Makes charges of amounts, and remembers those of a file: what tells two apart is to be in it."""

    def __init__(self) -> None:
        self._known: dict[object, Decimal] = {}

    def charges(self, fields: Fields, amount: Decimal, currency: object) -> Iterator[Fields]:
        """Make the charge, none of an amount of 0; raises InvalidCall for another amount of the same."""
        if str(currency or "usd").lower() != "usd":
            raise InvalidCall("currency", "expected USD")
        if self._known.setdefault(fields["request_id"], amount) != amount:
            raise InvalidCall("", "expected one amount for a time and group: ask to group by line item, or description")
        if amount:
            yield {**fields, "kind": CHARGE, "cost": amount}


def _results(row: Mapping[str, Any], times: tuple[str, str], page: str) -> Iterator[Mapping[str, Any]]:
    for bucket in objects_of(row, "data", page) if "data" in row else [row]:
        for result in objects_of(bucket, "results", page):
            yield {**result, **{name: bucket.get(name) for name in times}}


def _amount(row: Mapping[str, Any], *paths: str) -> Decimal:
    try:
        amount = read_decimal(value_of(row, *paths))
        if amount.is_finite() and amount.copy_abs() < MAX_AMOUNT:
            return amount
    except InvalidOperation:
        pass
    raise InvalidCall(paths[0], "expected an amount")


def _is_over(row: Mapping[str, Any], name: str) -> bool:
    """An amount that still grows would be recorded as it is now, and stand."""
    return _time(row, name) <= datetime.now(UTC)


def _time(row: Mapping[str, Any], name: str) -> datetime:
    try:
        return parse_time(value_of(row, name))
    except ValueError as error:
        raise InvalidCall(name, str(error)) from None
