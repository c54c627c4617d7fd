"""Rows of other programs' files of which one field does not fit: the call is not lost for it, and it is told."""

import json
from decimal import Decimal
from typing import Any

import pytest

from aggregates.models import ArrivalCount, ArrivalOutcome, Organization, UsageLog
from tests.ingest.dialects.samples import BEDROCK, HELICONE, LANGFUSE, OPENROUTER, lines
from tests.management.test_import_usage import Write, import_usage, refused, write

__all__ = ["write"]

LONG = "x" * 300
SHORTENED = "user_id: shortened: expected at most 256 bytes of text"


def langfuse(**changed: Any) -> dict[str, Any]:
    return {**LANGFUSE[1], **changed}


def helicone(**changed: Any) -> dict[str, Any]:
    return {**HELICONE[0], **changed}


@pytest.mark.parametrize(
    ("text", "told", "expected"),
    [
        (OPENROUTER.replace("u-2", LONG), f"{SHORTENED}, in 1 call", {"cost": Decimal("0.0105")}),
        (OPENROUTER.replace("0.0005", "n/a"), "cost: left out: ", {"cost": Decimal("0.000425")}),
        (lines(langfuse(user_id=LONG)), f"{SHORTENED}, in 1 call", {"cost": Decimal("0.25")}),
        (lines(langfuse(total_cost="NaN")), "cost: left out: ", {"input_tokens": 1000}),
        (lines(helicone(request_user_id=LONG)), f"{SHORTENED}, in 1 call", {"cost": Decimal("0.125")}),
        (lines(helicone(costUSD=-1, delay_ms="soon")), "latency_ms: left out: ", {"cost": Decimal("0.0007025")}),
        (
            lines({**BEDROCK[0], "identity": {"arn": f"arn:aws:iam::000000000000:user/{LONG}"}}),
            f"{SHORTENED}, in 1 call",
            {"output_tokens": 7},
        ),
    ],
)
def test_the_call_is_recorded_and_told(
    acme: Organization, write: Write, text: str, told: str, expected: dict[str, Any]
) -> None:
    assert told in import_usage(write(text), "--preset", "auto")[1]
    call = UsageLog.objects.order_by("timestamp").values().last()
    assert call is not None
    assert {name: call[name] for name in expected} == expected
    told = told.rpartition(", in ")[0] or told
    reasons = ArrivalCount.objects.filter(outcome=ArrivalOutcome.ADJUSTED).values_list("reason", flat=True)
    assert any(reason.startswith(told) for reason in reasons)


def test_a_row_that_is_rejected_is_not_told_as_adjusted(acme: Organization, write: Write) -> None:
    text = lines(langfuse(user_id=LONG, start_time="2999-01-01 00:00:00.000000"), langfuse())
    told = import_usage(write(text), "--preset", "langfuse", "--on-error", "skip")
    assert "1 rejected" in told[0] and SHORTENED not in told[1]


def test_what_was_mapped_or_set_has_to_fit(acme: Organization, write: Write) -> None:
    row = langfuse(mine=LONG)
    assert "user_id: expected at most 256 bytes" in refused(
        write(lines(row)), "--preset", "langfuse", "--map", "user_id=mine"
    )
    assert "cost: expected an amount" in refused(write(lines(row)), "--preset", "langfuse", "--set", "cost=much")


def test_a_file_with_our_own_names_has_to_fit(acme: Organization, write: Write) -> None:
    row = {"timestamp": "2026-03-02", "model": "gpt-5", "user_id": LONG}
    assert "user_id: expected at most 256 bytes" in refused(write(lines(row)))


@pytest.mark.parametrize(
    ("name", "row"), [("user_id", langfuse), ("request_user_id", helicone)], ids=["Langfuse", "Helicone"]
)
def test_sessions_of_an_account_are_one_user(acme: Organization, write: Write, name: str, row: Any) -> None:
    one = "user_0a0b_account_6f9c0d3a-0000-4000-8000-000000000001_session_{}"
    other = '{{"device_id": "0a0b", "account_uuid": "6f9c0d3a-0000-4000-8000-000000000001", "session_id": "{}"}}'
    texts = [text.format(number) for text in (one, other) for number in range(2)]
    ids = "request_id" if row is helicone else "id"
    rows = [row(**{ids: f"r-{number}", name: text}) for number, text in enumerate(texts)]
    import_usage(write(lines(*rows)), "--preset", "auto")
    assert UsageLog.objects.count() == 4
    assert set(UsageLog.objects.values_list("user_id", flat=True)) == {"6f9c0d3a-0000-4000-8000-000000000001"}
    assert "session" not in json.dumps(list(UsageLog.objects.values()), default=str)
