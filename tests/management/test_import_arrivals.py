"""What became of an imported file is counted, also that it was refused."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from aggregates.models import ArrivalCount, Organization
from tests.words import DOLLARS

HEADER = "timestamp,model,cost,request_id\n"
SECRET = "Bob's diagnosis is a secret"


def run(path: Path, *options: str) -> None:
    call_command("import_usage", str(path), "--organization", "acme", *options, stdout=StringIO(), stderr=StringIO())


def counts() -> dict[tuple[str, str, str], int]:
    return {(row.file, row.outcome, row.reason): row.count for row in ArrivalCount.objects.all()}


def test_a_file_is_counted(acme: Organization, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(HEADER + "2025-03-01,gpt-5,1,a\n2025-03-01,gpt-5,1,b\n2025-03-01,gpt-5,free,c\n")
    for _ in range(2):
        run(file, "--on-error", "skip")

    assert counts() == {
        ("calls.csv", "request", ""): 2,
        ("calls.csv", "accepted", ""): 2,
        ("calls.csv", "duplicate", ""): 2,
        ("calls.csv", "rejected", f"cost: {DOLLARS}"): 2,
    }


def test_rejections_that_are_not_kept_are_counted(acme: Organization, tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(HEADER + "2025-03-01,gpt-5,free,c\n" * 25)
    run(file, "--on-error", "skip")

    rejected = {reason: number for (_, outcome, reason), number in counts().items() if outcome == "rejected"}
    assert sorted(rejected.values()) == [5, 20]
    assert rejected["other reasons"] == 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEADER + "2025-03-01,gpt-5,free,c\n", f"cost: {DOLLARS}"),
        (f"{SECRET},other\n1,2\n", "there is no column “…”"),
        (f"{SECRET},{SECRET}\n1,2\n", "expected column names that differ, got “…” twice"),
    ],
)
def test_a_file_that_is_refused_is_counted_without_what_it_says(
    acme: Organization, tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(content)
    with pytest.raises(CommandError):
        run(file, "--map", "model=model")

    assert counts() == {("calls.csv", "refused", reason): 1}


def test_an_argument_that_is_wrong_is_no_file(acme: Organization, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        run(tmp_path / "calls.csv", "--map", "nonsense=model")

    assert counts() == {}
