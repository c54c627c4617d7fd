"""Costs pages of OpenAI and Anthropic's cost report become charges, once, of the days that are over."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from aggregates.models import Organization, UsageLog
from tests.ingest.dialects.samples import csv, lines
from tests.management.test_import_usage import Write, import_usage, log, refused, write

__all__ = ["write"]

FIELDS = ("kind", "provider", "model", "project", "subject_id", "cost")
TWICE = "Where the calls behind them are recorded, too, their cost counts twice"


def openai_cost(value: object, item: str | None, project: str = "proj_1", currency: str = "usd") -> dict[str, Any]:
    amount = {"value": value, "currency": currency}
    return {"object": "organization.costs.result", "amount": amount, "line_item": item, "project_id": project}


def openai_page(*results: dict[str, Any], start: int = 1772323200) -> str:
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": list(results)}
    return lines({"object": "page", "data": [bucket], "has_more": False})


def anthropic_cost(amount: str, description: str, **fields: Any) -> dict[str, Any]:
    return {"currency": "USD", "amount": amount, "description": description, "workspace_id": "wrk_1", **fields}


def anthropic_page(*results: dict[str, Any]) -> str:
    bucket = {"starting_at": "2026-03-01T00:00:00Z", "ending_at": "2026-03-02T00:00:00Z", "results": list(results)}
    return json.dumps({"data": [bucket], "has_more": False}, indent=2)


def test_amounts_of_openai_are_charges_by_project_and_line_item(acme: Organization, write: Write) -> None:
    page = openai_page(
        openai_cost(12.5, "gpt-5-2025-08-07, input"),
        openai_cost(0.1, "gpt-5-2025-08-07, input", "proj_2"),
        openai_cost(-3.25, "credit"),
        openai_cost(0, "gpt-5-mini, output"),
    )
    said = import_usage(write(page), "--preset", "auto")[0]
    assert said.startswith("Recognised as openai-costs: ")
    assert "1 row read: 3 new, 0 already there" in said
    assert TWICE in said
    assert set(log(*FIELDS)) == {
        ("charge", "openai", "gpt-5-2025-08-07", "proj_1", "gpt-5-2025-08-07, input", Decimal("12.5")),
        ("charge", "openai", "gpt-5-2025-08-07", "proj_2", "gpt-5-2025-08-07, input", Decimal("0.1")),
        ("charge", "openai", "", "proj_1", "credit", Decimal("-3.25")),
    }
    assert set(UsageLog.objects.values_list("timestamp", flat=True)) == {datetime(2026, 3, 1, tzinfo=UTC)}


def test_the_same_page_again_adds_nothing_and_still_warns(acme: Organization, write: Write) -> None:
    page = openai_page(openai_cost(12.5, "gpt-5, input"))
    import_usage(write(page), "--preset", "openai-costs")
    again = import_usage(write(page), "--preset", "openai-costs")[0]
    assert "0 new, 1 already there" in again
    assert TWICE in again


def test_the_export_of_openais_costs_is_read_as_its_pages(acme: Organization, write: Write) -> None:
    text = csv(
        "start_time,end_time,amount_value,amount_currency,line_item,project_id",
        '1772323200,1772409600,0.50,usd,"gpt-5, output",proj_1',
        "1772323200,1772409600,20,usd,seats,",
    )
    import_usage(write(text), "--preset", "auto")
    assert set(log("model", "subject_id", "cost")) == {
        ("gpt-5", "gpt-5, output", Decimal("0.5")),
        ("", "seats", Decimal(20)),
    }
    assert (
        "0 new, 1 already" in import_usage(write(openai_page(openai_cost(0.5, "gpt-5, output"))), "--preset", "auto")[0]
    )


def test_anthropic_tells_cents_in_its_api_and_dollars_in_its_export(acme: Organization, write: Write) -> None:
    page = anthropic_page(
        anthropic_cost("123.456789", "Claude Haiku 4.5 Usage - Output Tokens", model="claude-haiku-4-5"),
        anthropic_cost("-50", "Credit", cost_type="session_usage"),
    )
    assert TWICE in import_usage(write(page), "--preset", "auto")[0]
    assert set(log(*FIELDS)) == {
        (
            *("charge", "anthropic", "claude-haiku-4-5", "wrk_1", "Claude Haiku 4.5 Usage - Output Tokens"),
            Decimal("1.23456789"),
        ),
        ("charge", "anthropic", "", "wrk_1", "Credit", Decimal("-0.5")),
    }
    text = csv("usage_date_utc,model,workspace,token_type,cost_usd", "2026-03-01,Claude Haiku 4.5,Shop,output,1.25")
    import_usage(write(text), "--preset", "auto")
    assert ("charge", "anthropic", "Claude Haiku 4.5", "Shop", "output", Decimal("1.25")) in log(*FIELDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (openai_page(openai_cost(1, "a", currency="eur")), "line 1: currency: expected USD"),
        (openai_page(openai_cost("much", "a")), "line 1: amount.value: expected an amount"),
        (openai_page(openai_cost(1, "a"), openai_cost(2, "a")), "line 1: expected one amount for a time and group"),
        (anthropic_page(anthropic_cost("NaN", "a")), "line 1: amount: expected an amount"),
        (anthropic_page(anthropic_cost("1e9999999", "a")), "line 1: amount: expected an amount"),
        (csv("usage_date_utc,model,cost_usd", "soon,m,1"), "line 2: usage_date_utc: expected a time"),
    ],
)
def test_what_is_no_amount_is_told_of(acme: Organization, write: Write, text: str, words: str) -> None:
    assert words in refused(write(text), "--preset", "auto")


def test_a_day_that_is_not_over_is_left_out(acme: Organization, write: Write) -> None:
    now = int(datetime.now(UTC).timestamp())
    open_page = openai_page(openai_cost(1, "a"), start=now - 3600)
    today = csv("usage_date_utc,model,cost_usd", f"{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%d},m,1")
    for text in (open_page, today):
        assert (
            "0 new, 0 already there, 0 rejected, 1 of another kind" in import_usage(write(text), "--preset", "auto")[0]
        )
