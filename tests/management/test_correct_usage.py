"""correct_usage shows what would change, and changes it only when told to."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.ingest import record
from aggregates.models import UsageLog
from aggregates.rollup.protocol import roll_up
from tests.words import UNCHANGED


def correct(*arguments: str) -> str:
    out = StringIO()
    call_command("correct_usage", "--organization", "acme", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def used(acme, call):
    tokens = {"input_tokens": 1_000_000, "output_tokens": 500_000}
    record(
        acme,
        [
            call("2025-03-01T10:00Z", request_id="a", user_id="alice", cost="1.5", **tokens),
            call("2025-04-01T10:00Z", request_id="b", user_id="bob", **tokens),
        ],
    )
    roll_up()
    return acme


def test_without_apply_it_only_shows(used):
    shown = correct("--filter", "user=alice", "--delete")

    table = [line.split() for line in shown.splitlines()]
    assert table[1] == ["2025-03", "1", "1.500000000000", "0.000000000000", "-1.500000000000", "0", "1"]
    assert table[2] == ["total", *table[1][1:]]
    assert shown.endswith("\n1 call would be deleted. Nothing was changed: --apply does it.\n")
    assert UsageLog.objects.count() == 2


def test_with_apply_it_is_done(used):
    shown = correct("--all", "--price", "input=2.5", "output=10", "--apply")

    assert "2025-04" in shown
    assert "2 calls given another cost." in shown
    assert [str(cost) for cost in UsageLog.objects.values_list("cost", flat=True)] == ["7.500000000000"] * 2
    assert correct("--all", "--price", "input=2.5", "output=10", "--apply") == f"{UNCHANGED}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--delete"], "Say which calls are meant: --from, --to, --filter, --request-id, ..., or --all."),
        (["--all"], "one of the arguments --delete --unprice --price is required"),
        (["--all", "--delete", "--unprice"], "not allowed with argument"),
        (["--filter", "colour=red", "--delete"], "--filter: unknown dimension “colour”: expected one of operation,"),
        (["--filter", "user=a", "user=b", "--delete"], "--filter takes one value for user: no call has two."),
        (["--from", "2025-03-02", "--to", "2025-03-01", "--delete"], "The span ends before it begins"),
        (
            ["--all", "--price", "input=-1"],
            "cache_write_1h=USD, output=USD, or a unit and USD, with USD from",
        ),
        (["--all", "--price", "input=1e-7"], "at most 6 decimals"),
        (["--all", "--price", "input=nan"], "at most 6 decimals"),
        (["--all", "--price", "input=100001"], "from 0 to 100,000"),
        (["--all", "--price", "reasoning=1"], "at most 6 decimals"),
        (["--all", "--price", "output=1"], "--price: input=USD is needed, too; input=0 where it is free."),
        (["--all", "--price", "input=1", "cached=1"], "--price: output=USD is needed, too"),
        (["--all", "--price", "input=1", "input=2"], "--price takes one price for each kind of token or unit."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(used, arguments, message):
    with pytest.raises(CommandError) as refused:
        correct(*arguments)
    assert message in str(refused.value)


def test_writes_of_an_hour_have_a_price_of_their_own(acme, call):
    tokens = {"input_tokens": 2_000_000, "cache_write_tokens": 2_000_000, "cache_write_1h_tokens": 1_000_000}
    record(acme, [call("2025-03-01T10:00Z", **tokens)])

    correct("--all", "--price", "input=3", "cache_write=3.75", "cache_write_1h=6", "output=15", "--apply")
    assert UsageLog.objects.get().cost == Decimal("9.75")
    correct("--all", "--price", "input=3", "output=15", "--apply")  # parts without a price are priced as their whole
    assert UsageLog.objects.get().cost == 6
