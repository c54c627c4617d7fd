"""manage.py set_price and reprice."""

import io

import pytest
from django.core.management import CommandError, call_command

from aggregates.ingest import record
from aggregates.models import PriceOverride, UsageLog
from tests.words import UNCHANGED

TOKENS = {"input_tokens": 1_000_000, "output_tokens": 1000}


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def used(acme, call):
    record(acme, [call("2025-07-01T12:00Z", model="o9-x", request_id="a", **TOKENS)])
    record(acme, [call("2025-07-01T12:00Z", model="o9-x", request_id="b", cost="3", **TOKENS)])
    return acme


def costs() -> list[tuple]:
    return [(str(cost), source) for cost, source in UsageLog.objects.order_by("pk").values_list("cost", "cost_source")]


def test_a_price_is_set_and_history_follows(used):
    said = run("set_price", "acme", "o9-*", "--price", "input=10", "output=100", "--from", "2025-07-01")
    assert "Calls of “o9-*” are priced by it from now on" in said
    assert run("set_price", "acme", "--list") == "o9-* from 2025-07-01 to ever: input=10.000000 output=100.000000\n"

    shown = run("reprice", "--organization", "acme")
    assert "1 call would be repriced. Nothing was changed: --apply does it." in shown
    assert costs() == [("None", "none"), ("3.000000000000", "reported")]

    done = run("reprice", "--organization", "acme", "--apply")
    assert done.splitlines()[:3] == shown.splitlines()[:3]
    assert done.splitlines()[1].split() == [
        *("2025-07", "o9-x", "1", "0.000000000000", "10.100000000000", "+10.100000000000", "1", "0"),
    ]
    assert costs() == [("10.100000000000", "override"), ("3.000000000000", "reported")]
    assert run("reprice", "--organization", "acme", "--apply") == f"{UNCHANGED}\n"

    assert "1 call repriced" in run("reprice", "--organization", "acme", "--also", "reported", "--apply")
    assert costs() == [("10.100000000000", "override")] * 2


def test_a_price_is_removed(used):
    run("set_price", "acme", "o9-*", "--price", "input=10", "output=100")
    with pytest.raises(CommandError, match="There is no price of “o9-\\*” from 2025-01-01"):
        run("set_price", "acme", "o9-*", "--remove", "--from", "2025-01-01")
    assert "Removed the price of “o9-*”" in run("set_price", "acme", "o9-*", "--remove")
    assert not PriceOverride.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["o9", "--price", "input=1"], "output: This field is required."),
        (["o9", "--price", "input=x", "output=1"], "input: Expected a number, such as 12 or 0.5."),
        (["o9", "--price", "inputs=1", "output=1"], "expected input=USD, cached=USD"),
        (["--price", "input=1", "output=1"], "model: This field is required."),
        (["o9", "--price", "input=1", "output=1", "--from", "yesterday"], "from: Expected a date, YYYY-MM-DD."),
    ],
)
def test_a_wrong_price_is_told_of(acme, arguments, expected):
    with pytest.raises(CommandError, match=expected):
        run("set_price", "acme", *arguments)
    assert not PriceOverride.objects.exists()
