"""An import is killed half-way."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, StaleDay, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.faults.holding import database_under_test, held
from tests.faults.judge import judge
from tests.patience import PATIENCE, wait_until
from tests.processes import start

CALLS = 200


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    rows = [f"2025-03-{1 + n % 3:02}T10:00:{n % 60:02}Z,gpt-5,{n},0.{n:03}" for n in range(CALLS)]
    path.write_text("\n".join(["timestamp,model,input_tokens,cost", *rows]))
    return path


def import_file(file: Path) -> str:
    process = start("import_usage", str(file), "--organization", "acme", stdout=subprocess.PIPE)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return said


@pytest.mark.django_db(transaction=True)
def test_an_import_is_killed_half_way(acme: Organization, file: Path, call: Callable[..., Call]) -> None:
    record(acme, [call(f"2025-03-0{day}T09:00Z") for day in (1, 2, 3)])
    roll_up()  # so that the import leaves marks
    with held(database_under_test()) as marks:
        process = start("import_usage", str(file), "--organization", "acme")
        wait_until(lambda: marks.waiting() == 1, "its calls are written, and not committed")
        process.kill()
        process.wait(timeout=PATIENCE)
    assert UsageLog.objects.count() == 3
    assert not StaleDay.objects.exists()
    assert f"{CALLS} new, 0 already there" in import_file(file)
    roll_up()
    assert judge() == []
    assert f"0 new, {CALLS} already there" in import_file(file)
    assert UsageLog.objects.count() == 3 + CALLS
    assert not StaleDay.objects.exists()
    assert judge() == []
