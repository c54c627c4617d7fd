"""Charges come in through every door of our own, once, and whatever mends calls leaves them alone."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

import aggregates
from aggregates.accounts import keys
from aggregates.domain.calls import Call, parse_call
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Unprice, correct
from aggregates.ingest.repricing import reprice
from aggregates.models import Organization, UsageLog
from aggregates.pricing.overrides import set_price
from aggregates.pricing.rates import Prices
from tests.api.conftest import Sender
from tests.api.otlp.conftest import CHAT, NOON, Exporter, span
from tests.management.test_import_usage import Write, import_usage, log, refused, write

__all__ = ["write"]

DAY = "2026-03-01T11:00:00Z"
MakeCall = Callable[..., Call]


@pytest.fixture
def secret(acme: Organization) -> str:
    return keys.create(acme, "web", None)[1].text


def kinds() -> dict[str, tuple[str, Decimal]]:
    return {name: (kind, cost) for name, kind, cost in UsageLog.objects.values_list("request_id", "kind", "cost")}


def test_the_api_takes_charges_among_calls_and_refuses_what_is_both(client: Client, secret: str) -> None:
    answer = Sender(client, secret)(
        [
            {"request_id": "call", "timestamp": DAY, "model": "gpt-4o", "input_tokens": 10, "cost": "10"},
            {"request_id": "credit", "timestamp": DAY, "model": "gpt-4o", "cost": "-2.5"},
            {"request_id": "seats", "timestamp": DAY, "kind": "charge", "subject_id": "12 seats", "cost": 360},
            {"request_id": "both", "timestamp": DAY, "model": "gpt-4o", "output_tokens": 1, "cost": -1},
            {"request_id": "no call", "timestamp": DAY, "model": "gpt-4o", "kind": "call", "cost": -1},
            {"request_id": "no model", "timestamp": DAY, "cost": 1},
            {"request_id": "no cost", "timestamp": DAY, "kind": "charge"},
        ]
    )
    assert (answer["accepted"], answer["rejected"]) == (3, 4)
    assert [rejection["field"] for rejection in answer["rejections"]] == ["cost", "cost", "model", "cost"]
    assert "only a charge, which has no tokens, may cost less" in answer["rejections"][0]["reason"]
    assert kinds() == {
        "call": ("call", Decimal(10)),
        "credit": ("charge", Decimal("-2.5")),
        "seats": ("charge", Decimal(360)),
    }
    assert set(log("cost_source", "latency_ms")) == {("reported", None)}


def test_a_charge_that_is_sent_as_a_call_later_is_a_conflict(client: Client, secret: str) -> None:
    send = Sender(client, secret)
    row = {"request_id": "r", "timestamp": DAY, "model": "m", "cost": 5}
    send([{**row, "kind": "charge"}])
    assert send([row])["conflicts"] == [{"index": 0, "request_id": "r", "fields": ["kind"]}]
    assert send([{**row, "kind": "charge"}])["conflicts"] == []


def test_a_program_records_a_charge(acme: Organization) -> None:
    assert aggregates.record("acme", cost="-7.25", user_id="alice")
    assert aggregates.record("acme", kind="charge", cost=20)
    assert not aggregates.record("acme", model="m", cost="-1", input_tokens=1)
    assert sorted(log("kind", "cost")) == [("charge", Decimal("-7.25")), ("charge", Decimal(20))]


def test_a_file_says_which_rows_are_charges(acme: Organization, write: Write) -> None:
    path = write(
        "timestamp,kind,model,subject_id,input_tokens,cost\n"
        "2026-03-01,,gpt-5,,10,0.5\n"
        "2026-03-01,charge,,minimum fee,,25\n"
        "2026-03-01,charge,,minimum fee,,25\n"
        "2026-03-02,,,refund of a seat,0,-30\n"
    )
    assert "4 new, 0 already there" in import_usage(path)[0]
    assert "0 new, 4 already there" in import_usage(path)[0]
    assert sorted(log("kind", "subject_id", "cost")) == [
        ("call", "", Decimal("0.5")),
        ("charge", "minimum fee", Decimal(25)),
        ("charge", "minimum fee", Decimal(25)),
        ("charge", "refund of a seat", Decimal(-30)),
    ]


def test_all_rows_of_a_file_are_charges_if_that_is_set(acme: Organization, write: Write) -> None:
    path = write("timestamp,cost\n2026-03-01,12\n2026-03-01,-3\n")
    assert "or that all rows are charges with --set kind=charge" in refused(path)
    import_usage(path, "--set", "kind=charge", "--set", "subject_id=seats")
    assert sorted(log("kind", "model", "cost")) == [("charge", "", Decimal(-3)), ("charge", "", Decimal(12))]


def test_a_row_that_is_a_call_in_one_file_and_a_charge_in_another_is_two(acme: Organization, write: Write) -> None:
    row = "timestamp,model,cost\n2026-03-01,m,12\n"
    import_usage(write(row))
    assert "1 new" in import_usage(write(row), "--set", "kind=charge")[0]


def test_a_span_with_a_negative_cost_is_a_call_without_one(client: Client, secret: str) -> None:
    Exporter(client, secret)(span(attributes={**CHAT, "gen_ai.request.model": "house-1", "gen_ai.usage.cost": -0.5}))
    assert log("kind", "cost") == [("call", None)]


def test_a_span_does_not_take_the_place_of_a_charge(client: Client, secret: str, acme: Organization) -> None:
    response = {**CHAT, "gen_ai.response.id": "same", "gen_ai.usage.input_tokens": 5}
    record(acme, [parse_call({"timestamp": NOON, "request_id": "same", "cost": -1})])
    Exporter(client, secret)(span(attributes=response))
    assert sorted(kind for (kind,) in log("kind")) == ["call", "charge"]


def test_corrections_and_prices_leave_charges_alone(acme: Organization, call: MakeCall) -> None:
    rows = [
        call(DAY, model="gpt-4o", request_id="call", input_tokens=1_000_000, output_tokens=1, cost="9"),
        call(DAY, model="gpt-4o", request_id="credit", cost="-2.5"),
        call(DAY, model="gpt-4o", request_id="fee", kind="charge", cost="5"),
    ]
    record(acme, rows)
    charges = {"credit": ("charge", Decimal("-2.5")), "fee": ("charge", Decimal(5))}
    assert correct(acme, Criteria(), Prices(input=Decimal(1), output=Decimal(0))).total.rows == 1
    assert kinds() == {"call": ("call", Decimal(1)), **charges}
    assert correct(acme, Criteria(), Unprice()).total.rows == 1
    assert kinds() == {"call": ("call", None), **charges}
    set_price(acme, "gpt-4o", None, None, {"input": Decimal(2), "output": Decimal(0)}, None)
    assert reprice(acme, Criteria(), sources=("none", "reported")).total.calls == 1
    assert kinds() == {"call": ("call", Decimal(2)), **charges}


def test_deleting_tells_calls_and_charges_apart(acme: Organization, call: MakeCall) -> None:
    record(acme, [call(DAY, request_id="call", cost="9"), call(DAY, request_id="credit", cost="-2.5", user_id="alice")])

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("correct_usage", "--organization", "acme", *arguments, "--delete", stdout=out)
        return out.getvalue()

    assert "1 call and 1 charge would be deleted." in run("--all")
    shown = [line.split() for line in run("--all").splitlines()]
    assert shown[0][:3] == ["month", "calls", "charges"]
    assert shown[1][:5] == ["2026-03", "1", "1", "6.500000000000", "0.000000000000"]
    assert "1 call would be deleted." in run("--kind", "call")
    assert "1 charge deleted." in run("--kind", "charge", "--apply")
    assert list(kinds()) == ["call"]
