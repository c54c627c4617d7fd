"""A backup that is made while calls come in, restored into an empty place, where work goes on."""

import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.faults.conftest import OwnSite
from tests.faults.sender import CALLS, batch
from tests.patience import PATIENCE, wait_until
from tests.words import NO_PROBLEM

MANY = "100000"  # batches: more than the sender comes to before it is ended
ROLL_UP = ("manage.py", "aggregate_day", "--from=2025-03-01")


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Callable[[Path], OwnSite]]:
    """Restore a file into an empty place."""
    made: list[OwnSite] = []

    def restore(file: Path) -> OwnSite:
        made.append(OwnSite(tmp_path / f"restored-{len(made)}"))
        assert "Restored." in made[-1].run("manage.py", "restore", str(file))
        made[-1].stay_up()
        return made[-1]

    yield restore
    for each in made:
        each.stop()


def contents(site: OwnSite) -> dict[str, list[str]]:
    """Each table's rows, and how far each sequence has counted."""
    of_kind = {
        "r": sql.SQL("SELECT row_of::text FROM {} AS row_of ORDER BY 1"),
        "S": sql.SQL("SELECT format('%s %s', last_value, is_called) FROM {}"),
    }
    with psycopg.connect(site.conninfo) as database:
        found = database.execute(
            "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {
            name: [row for (row,) in database.execute(of_kind[kind].format(sql.Identifier(name))).fetchall()]
            for name, kind in found
            if kind in of_kind
        }


def test_a_backup_while_calls_come_in_is_whole_where_it_is_restored(
    own_site: OwnSite, restored: Callable[[Path], OwnSite], tmp_path: Path
) -> None:
    said, file = tmp_path / "said", tmp_path / "usage.dump"
    with said.open("w") as out:
        sender = own_site.start("-m", "tests.faults.sender", "acme", MANY, stdout=out)

    def acknowledged() -> int:
        return said.read_text().count("\n")

    try:
        wait_until(lambda: acknowledged() >= 10, "calls come in")
        own_site.run(*ROLL_UP, "--to=2025-03-03")
        rolled = acknowledged()
        wait_until(lambda: acknowledged() > rolled + 1, "calls of days that are rolled up come in")
        before = acknowledged()
        own_site.run("manage.py", "backup", str(file))
        backed_up = acknowledged()
        wait_until(lambda: acknowledged() > backed_up + 1, "they still come in")
    finally:
        sender.terminate()
        sender.wait(timeout=PATIENCE)
    assert file.stat().st_mode & 0o077 == 0

    there = restored(file)

    with psycopg.connect(there.conninfo) as database:
        stale = database.execute("SELECT count(DISTINCT date) FROM aggregates_staleday").fetchone()
        total = database.execute("SELECT sum(cost) FROM aggregates_usagelog").fetchone()
    assert stale == (3,)
    there.run(*ROLL_UP, "--to=2025-03-31")
    recorded = there.recorded()  # and all else equals the log
    batches = len(recorded) // CALLS
    assert before <= batches <= backed_up + 1
    calls = [call for number in range(batches) for call in batch(number)]
    assert recorded == sorted(call.request_id for call in calls)
    assert total == (sum((call.cost or Decimal() for call in calls), Decimal()),)
    assert NO_PROBLEM in there.run("manage.py", "check_usage", "--verify", "1000")
    assert "No migrations to apply." in there.run("manage.py", "migrate")


def test_every_row_is_restored_and_the_next_roll_up_makes_the_same(
    own_site: OwnSite, restored: Callable[[Path], OwnSite], tmp_path: Path
) -> None:
    own_site.run("-m", "tests.faults.sender", "acme", "8")
    own_site.run(*ROLL_UP, "--to=2025-03-03")
    own_site.run("-m", "tests.faults.sender", "acme", "12")
    own_site.run("manage.py", "backup", str(tmp_path / "usage.dump"))
    source = contents(own_site)
    assert len(source["aggregates_usagelog_2025_03"]) == 12 * CALLS
    assert len(source["aggregates_staleday"]) > 0

    there = restored(tmp_path / "usage.dump")

    assert contents(there) == source
    reports = []
    for site in (own_site, there):
        site.run(*ROLL_UP, "--to=2025-03-31")
        report = ("usage_report", "--organization=acme", "--from=2025-02-01", "--to=2025-03-31", "--by=model")
        reports.append(site.run("manage.py", *report, "--format=csv"))
    assert reports[0] == reports[1]
    assert there.recorded() == own_site.recorded()
    # What was lost after the backup is sent again, and what is in it is known.
    assert len(there.run("-m", "tests.faults.sender", "acme", "14").splitlines()) == 14
    there.run(*ROLL_UP, "--to=2025-03-31")
    assert len(there.recorded()) == 14 * CALLS


def test_a_restore_that_is_not_into_an_empty_place_changes_nothing(own_site: OwnSite, tmp_path: Path) -> None:
    own_site.run("manage.py", "backup", str(tmp_path / "usage.dump"))
    own_site.run("-m", "tests.faults.sender", "acme", "1")
    status, _, complained = own_site.attempt("manage.py", "restore", str(tmp_path / "usage.dump"))
    assert status == 1
    assert complained.startswith("CommandError: The database is not empty: ")
    assert own_site.count("aggregates_usagelog") == CALLS


@pytest.mark.parametrize("kept", [-500, 0], ids=["cut off", "something else"])  # bytes
def test_a_file_that_is_no_whole_backup_leaves_the_place_empty(own_site: OwnSite, tmp_path: Path, kept: int) -> None:
    whole, file = tmp_path / "whole.dump", tmp_path / "usage.dump"
    own_site.run("-m", "tests.faults.sender", "acme", "1")
    own_site.run("manage.py", "backup", str(whole))
    file.write_bytes(whole.read_bytes()[:kept] or b"CREATE TABLE something ();")
    there = OwnSite(tmp_path / "data")
    try:
        status, _, complained = there.attempt("manage.py", "restore", str(file))
        assert status == 1
        assert complained.endswith("CommandError: pg_restore failed, and says above why.\n")
        there.stay_up()
        assert contents(there) == {}
    finally:
        there.stop()


def test_a_backup_overwrites_no_file_and_leaves_none_that_is_not_whole(own_site: OwnSite, tmp_path: Path) -> None:
    file = tmp_path / "usage.dump"
    file.write_text("the backup of yesterday")
    status, _, complained = own_site.attempt("manage.py", "backup", str(file))
    assert (status, complained) == (1, f"CommandError: {file} is there already; name a new file.\n")
    assert file.read_text() == "the backup of yesterday"

    file.unlink()
    with psycopg.connect(own_site.conninfo) as holder, psycopg.connect(own_site.conninfo, autocommit=True) as other:
        holder.execute("LOCK TABLE aggregates_usagelog")
        backup = own_site.start("manage.py", "backup", str(file), stderr=subprocess.PIPE)
        waiting = "SELECT FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'"
        wait_until(lambda: other.execute(waiting).fetchone() is not None, "it waits")
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'")
        _, complained = backup.communicate(timeout=PATIENCE)
    assert backup.returncode == 1
    assert complained.endswith("CommandError: pg_dump failed, and says above why.\n")
    assert list(tmp_path.glob("*usage.dump*")) == []
