"""manage.py normalize_usage: calls of the version before by the names and prices of today, and nothing else."""

import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from aggregates.db import clock
from aggregates.domain.calls import Call
from aggregates.ingest import normalizing, record
from aggregates.models import KeptReason, Organization, StaleDay, UsageDay, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.faults.judge import judge
from tests.words import UNCHANGED

MakeCall = Callable[..., Call]
ONE_MILLION = 1_000_000


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("normalize_usage", "--organization", "acme", *arguments, stdout=out)
    return out.getvalue()


def as_before(**names: tuple[str, str, str]) -> None:
    """Write names of calls as the version before did: request_id=(provider, operation, cost source)."""
    for request_id, (provider, operation, source) in names.items():
        UsageLog.objects.filter(request_id=request_id).update(
            provider=provider, operation=operation, cost_source=source
        )


def rows() -> dict[str, tuple[Any, ...]]:
    fields = ("request_id", "provider", "operation", "model", "cost", "cost_source")
    return {
        name: (provider, operation, model, cost if cost is None else str(cost.normalize()), source)
        for name, provider, operation, model, cost, source in UsageLog.objects.values_list(*fields)
    }


@pytest.fixture
def used(acme: Organization, call: MakeCall) -> Organization:
    """Three months that the version before recorded and rolled up; the one of z has no spelling to change."""
    tokens = {"input_tokens": ONE_MILLION}
    record(
        acme,
        [
            call("2025-09-01T10:00Z", request_id="a", model="gpt-5", cost="2", **tokens),
            call("2025-09-30T10:00Z", request_id="b", model="nobody-knows-x", **tokens),
            call("2025-10-01T10:00Z", request_id="c", model="gpt-5", provider="nobody", **tokens),
            call("2025-10-01T11:00Z", request_id="d", model="gpt-5", operation="messages", provider="openai", cost="1"),
            call("2025-11-01T11:00Z", request_id="z", model="gpt-5", operation="report", provider="openai", cost="1"),
        ],
    )
    as_before(
        a=("openai.responses", "LLM", "reported"),
        b=("vertex_ai", "acompletion", "none"),
        c=("openai.chat", "completion", "none"),
    )
    UsageLog.objects.filter(request_id="c").update(cost=None)
    roll_up()
    assert judge() == []
    return acme


def test_a_preview_tells_names_months_and_costs_and_changes_nothing(used: Organization) -> None:
    before = rows()
    shown = run()

    words = [line.split() for line in shown.splitlines()]
    assert ["operation", "LLM", "chat", "1"] in words
    assert ["operation", "acompletion", "chat", "1"] in words
    assert ["operation", "messages", "chat", "1"] in words
    assert ["provider", "openai.chat", "openai", "1"] in words
    assert ["provider", "openai.responses", "openai", "1"] in words
    assert ["provider", "vertex_ai", "google", "1"] in words
    zero, cost = "0.000000000000", "1.250000000000"
    assert ["2025-09", "2", "2.000000000000", "2.000000000000", f"+{zero}", "1", "1"] in words
    assert ["2025-10", "2", "1.000000000000", "2.250000000000", f"+{cost}", "1", "0"] in words
    assert "4 calls would change. Nothing was changed: --apply does it." in shown
    assert (rows(), StaleDay.objects.count()) == (before, 0)


def test_it_is_applied_once_and_aggregates_follow(used: Organization) -> None:
    shown = run()
    done = run("--apply")

    assert done.splitlines()[:-1] == shown.splitlines()[:-1]
    assert rows() == {
        "a": ("openai", "chat", "gpt-5", "2", "reported"),
        "b": ("google", "chat", "nobody-knows-x", None, "none"),
        "c": ("openai", "completion", "gpt-5", "1.25", "table"),
        "d": ("openai", "chat", "gpt-5", "1", "reported"),
        "z": ("openai", "report", "gpt-5", "1", "reported"),
    }
    assert {str(day) for day in StaleDay.objects.values_list("date", flat=True)} == {
        *("2025-09-01", "2025-09-30", "2025-10-01"),
    }
    roll_up()
    assert judge() == []
    assert run("--apply") == f"{UNCHANGED}\n"
    assert not StaleDay.objects.exists()


def test_days_and_names_are_chosen(used: Organization) -> None:
    assert "1 call changed" in run("--apply", "--from", "2025-09-01", "--to", "2025-09-29")
    assert rows()["b"][0] == "vertex_ai"
    kept = run("--apply", "--keep", "operation=messages", "provider=openai.chat")
    assert "2 calls changed" in kept
    assert rows()["d"][1] == "messages"
    assert rows()["c"][0] == "openai.chat", "it has a price by its name all the same"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2025-02-01", "--to", "2025-01-01"], "Expected --from not to be after --to."),
        (["--keep", "model=gpt-5"], "expected provider=... or operation=..."),
    ],
)
def test_what_makes_no_sense_is_said(used: Organization, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words.replace(".", r"\.")):
        run(*arguments)


def test_costs_that_were_reported_or_corrected_stay(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-09-01T10:00Z", request_id=name, cost="7", input_tokens=100) for name in "ab"])
    as_before(a=("openai.chat", "LLM", "reported"), b=("openai.chat", "LLM", "priced"))
    run("--apply")
    assert {row[3:] for row in rows().values()} == {("7", "reported"), ("7", "priced")}
    assert {row[:2] for row in rows().values()} == {("openai", "chat")}


def test_a_price_of_a_call_that_keeps_its_provider_stays(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-09-01T10:00Z", request_id="a", provider="openai", input_tokens=ONE_MILLION)])
    UsageLog.objects.update(cost=Decimal(9), operation="LLM")
    run("--apply")
    assert rows()["a"] == ("openai", "chat", "gpt-5", "9", "table")


def test_other_organizations_are_left_alone(used: Organization, other: Organization, call: MakeCall) -> None:
    record(other, [call("2025-09-01T10:00Z", request_id="theirs")])
    as_before(theirs=("openai.chat", "LLM", "none"))
    run("--apply")
    assert rows()["theirs"][:2] == ("openai.chat", "LLM")


def test_days_whose_sums_are_kept_are_named_and_left_alone(used: Organization) -> None:
    before = rows()
    UsageDay.objects.filter(date="2025-10-01").update(kept_at=clock.now(), kept_reason=KeptReason.values[0])
    shown, done = run(), run("--apply")
    for said in (shown, done):
        assert said.startswith("Left alone: the calls of 2025-10-01.")
    assert {name: rows()[name] for name in "cd"} == {name: before[name] for name in "cd"}
    assert rows()["a"][0] == "openai"


def test_a_file_that_was_imported_before_adds_nothing_after(acme: Organization, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(
        "timestamp,model,provider,operation,input_tokens\n"
        + "2025-09-01T10:00Z,gpt-5,openai.responses,LLM,100\n" * 3
        + "2025-09-02T10:00Z,gpt-5,azure_openai,acompletion,100\n"
    )

    def import_file() -> str:
        out = io.StringIO()
        call_command("import_usage", str(file), "--organization", "acme", stdout=out)
        return out.getvalue()

    assert "4 new" in import_file()
    assert "4 calls changed" in run("--apply")
    assert "0 new, 4 already there" in import_file()
    assert {row[:2] for row in rows().values()} == {("openai", "chat"), ("azure", "chat")}


def test_each_day_is_a_transaction_of_its_own(used: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[str] = []
    of_day = normalizing._normalize_day

    def fail_at_the_third(done: Any, organization: Organization, day: Any, keep: Any) -> None:
        days.append(str(day))
        if len(days) == 3:
            raise ZeroDivisionError
        of_day(done, organization, day, keep)

    monkeypatch.setattr(normalizing, "_normalize_day", fail_at_the_third)
    with pytest.raises(ZeroDivisionError):
        run("--apply")
    assert days == ["2025-09-01", "2025-09-30", "2025-10-01"]
    assert (rows()["a"][0], rows()["b"][0], rows()["c"][0]) == ("openai", "google", "openai.chat")
    roll_up()
    assert judge() == []
    monkeypatch.undo()
    assert "2 calls changed" in run("--apply")
