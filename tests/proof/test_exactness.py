"""docs/exactness.md names tests and mutants: they are there."""

import re
from pathlib import Path

from tests.proof.mutants import MUTANTS

BASE = Path(__file__).parents[2]
ROWS = [line for line in (BASE / "docs/exactness.md").read_text().splitlines() if line.startswith("| ")][2:]


def test_the_tests_that_the_table_names_are_there() -> None:
    named = [(path, test) for row in ROWS for path, test in re.findall(r"`(tests/\S+?\.py)`: `(test_\w+)`", row)]
    assert len(named) > 9
    assert [test for path, test in named if f"def {test}(" not in (BASE / path).read_text()] == []
    assert [path for row in ROWS for path in re.findall(r"`(tests/[^`]+)`", row) if not (BASE / path).exists()] == []


def test_the_table_names_every_mutant() -> None:
    assert {row.rstrip("| ").rpartition("| ")[2] for row in ROWS} >= {mutant.broken for mutant in MUTANTS}
