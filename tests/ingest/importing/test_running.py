"""An import is one transaction beside what tells how far it is; it can be cancelled, and survives its worker."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import sql

from aggregates.db import clock
from aggregates.db.beside import Beside, beside
from aggregates.db.locks import Lock
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.ingest.importing import running
from aggregates.models import FileChunk, FileImport, ImportState, Organization, UsageLog, User
from aggregates.rollup.protocol import roll_up
from tests.faults.judge import judge
from tests.ingest.dialects.samples import CODEX, lines
from tests.ingest.importing.conftest import LARGEST, give

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = b"timestamp,model,user_id,cost\n"
LITELLM = {
    "id": "chatcmpl-1",
    "call_type": "acompletion",
    "startTime": 1740823200.0,
    "endTime": 1740823201.0,
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "prompt_tokens": 1200,
    "completion_tokens": 80,
    "response_cost": 0.0038,
    "status": "success",
}
CLAUDE = {
    "type": "assistant",
    "timestamp": "2025-03-01T10:00:00.000Z",
    "requestId": "req_1",
    "sessionId": "s-1",
    "cwd": "/home/alice/shop",
    "message": {
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 500, "output_tokens": 90},
    },
}
OPENAI = (
    b"start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,input_tokens,output_tokens,"
    b"input_cached_tokens\n1740787200,1740873600,2025-03-01,2025-03-02,3,gpt-4o-2024-08-06,900,90,300\n"
)


def many(number: int) -> bytes:
    rows = (f"2025-03-{1 + n % 7:02}T10:00:00.{n:06}Z,gpt-5,user-{n % 7},0.000{n % 9}\n" for n in range(number))
    return HEADER + "".join(rows).encode()


def queue(organization: Organization, user: User, content: bytes, **how: Any) -> FileImport:
    imported = give(organization, user, content)
    FileImport.objects.filter(pk=imported.pk).update(state=ImportState.QUEUED, queued_at=clock.now(), **how)
    return imported


def run_next(own: Beside) -> ImportState:
    claimed = running.claim(own)
    assert claimed
    return running.run(claimed, own, LARGEST)


def import_now(organization: Organization, user: User, content: bytes, **how: Any) -> FileImport:
    imported = queue(organization, user, content, **how)
    with beside() as own:
        run_next(own)
    imported.refresh_from_db()
    return imported


def counts(imported: FileImport) -> tuple[str, int, int, int]:
    return imported.state, imported.new, imported.already_there, imported.rejected


@pytest.mark.parametrize(
    ("content", "recognized", "new"),
    [
        (many(500), "calls", 500),
        (gzip.compress(many(500), mtime=0), "calls", 500),
        (json.dumps(LITELLM).encode(), "litellm", 1),
        (json.dumps(CLAUDE).encode(), "claude-code", 1),
        (OPENAI, "openai-usage-export", 3),
        (lines(*CODEX).encode(), "codex", 2),
    ],
    ids=["own", "gzip", "litellm", "claude", "openai", "codex"],
)
def test_a_file_of_any_format_is_recorded_once(
    acme: Organization, alice: User, content: bytes, recognized: str, new: int
) -> None:
    first = import_now(acme, alice, content)
    assert counts(first) == ("done", new, 0, 0)
    assert (first.recognized, first.position) == (recognized, first.size)
    assert first.earliest and first.latest and first.finished_at
    assert not FileChunk.objects.exists()

    assert counts(import_now(acme, alice, content)) == ("done", 0, new, 0)
    assert UsageLog.objects.count() == new
    roll_up()
    assert judge() == []


def test_an_own_file_is_read_by_its_mapping(acme: Organization, alice: User) -> None:
    content = b"at,llm,in,cached\n2025-03-01,gpt-5,100,20\n"
    paths = {"timestamp": "at", "model": "llm", "input_tokens": "in+cached", "cached_tokens": "cached"}
    imported = import_now(acme, alice, content, base="", paths=paths, values={"project": "shop"})
    assert counts(imported) == ("done", 1, 0, 0)
    call = UsageLog.objects.get()
    assert (call.input_tokens, call.cached_tokens, call.project) == (120, 20, "shop")


def test_a_row_that_is_no_call_ends_it_and_the_file_stays(acme: Organization, alice: User) -> None:
    imported = import_now(acme, alice, HEADER + b"2025-03-01,gpt-5,alice,1\nnever,gpt-5,alice,1\n")
    assert counts(imported) == ("failed", 0, 0, 0)
    assert imported.problem.startswith("Line 3: timestamp: expected")
    assert imported.problem.endswith("Nothing was recorded.")
    assert not UsageLog.objects.exists()
    assert imported.may_start


def test_rows_that_are_no_calls_are_left_out_if_that_was_chosen(acme: Organization, alice: User) -> None:
    content = HEADER + b"2025-03-01,gpt-5,alice,1\n" + b"never,gpt-5,alice,1\n" * 30
    imported = import_now(acme, alice, content, skip_rejected=True)
    assert counts(imported) == ("done", 1, 0, 30)
    assert len(imported.details["rejections"]) == 20
    assert imported.details["rejections"][0][0] == 3


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"a,b\n1,2\n", gzip.compress(many(10))[:-9], b"\x89PNG\0\0"])
def test_what_cannot_be_read_fails_in_words(acme: Organization, alice: User, content: bytes) -> None:
    imported = import_now(acme, alice, content)
    assert imported.state == "failed"
    assert imported.problem[0].isupper() and imported.problem.endswith(". Nothing was recorded.")


def test_days_whose_calls_are_not_kept_are_refused(acme: Organization, alice: User, call: Callable[..., Call]) -> None:
    Organization.objects.filter(pk=acme.pk).update(log_from="2025-03-02")
    imported = import_now(acme, alice, HEADER + b"2025-03-01,gpt-5,alice,1\n")
    assert "calls of earlier days are not kept" in imported.problem


def test_how_far_it_is_is_seen_by_others_before_anything_is_recorded(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.0)
    imported = queue(acme, alice, many(20_000))
    seen: list[tuple[int, int, int]] = []
    tell = running._Watch.look

    def look(watch: Any) -> None:
        tell(watch)
        with beside() as other:
            row = other.row(sql.SQL("SELECT position, rows FROM aggregates_fileimport"), {})
            log = other.row(sql.SQL("SELECT count(*) FROM aggregates_usagelog"), {})
            assert row and log
            seen.append((*row, *log))

    monkeypatch.setattr(running._Watch, "see", lambda watch, call: _every(watch, call, look))
    with beside() as own:
        assert run_next(own) == ImportState.DONE
    positions = [position for position, _, _ in seen]
    assert positions == sorted(positions)
    assert 0 < positions[0] < positions[-1] <= imported.size
    assert {log for *_, log in seen} == {0}


def _every(watch: Any, call: Call, look: Callable[[Any], None]) -> None:
    watch._rows += 1
    watch.earliest = watch.latest = call.timestamp
    if watch._rows % 4_000 == 1:
        look(watch)


def test_it_is_cancelled_half_way(acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.0)
    imported = queue(acme, alice, many(30_000))
    with beside() as own, beside() as other:
        claimed = running.claim(own)
        assert claimed
        other.row(sql.SQL("UPDATE aggregates_fileimport SET cancel_asked = true RETURNING 1"), {})
        assert running.run(claimed, own, LARGEST) == ImportState.CANCELLED
    imported.refresh_from_db()
    assert (imported.state, imported.position < imported.size) == ("cancelled", True)
    assert not UsageLog.objects.exists() and not FileChunk.objects.exists()


def test_cancelled_at_the_last_moment_nothing_is_recorded(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(acme, alice, many(10))
    result = running._result

    def cancel(*arguments: Any) -> dict[str, object]:
        with beside() as other:
            other.row(sql.SQL("UPDATE aggregates_fileimport SET cancel_asked = true RETURNING 1"), {})
        return result(*arguments)

    monkeypatch.setattr(running, "_result", cancel)
    with beside() as own:
        assert run_next(own) == ImportState.CANCELLED
    assert not UsageLog.objects.exists()


def test_an_import_whose_worker_died_is_taken_up_again_and_counts_once(acme: Organization, alice: User) -> None:
    imported = queue(acme, alice, many(100))
    with beside() as dying:
        assert running.claim(dying)
        with beside() as own:
            assert running.revive(own) == 0, "it lives"
    with beside() as own:
        assert running.revive(own) == 1
        assert run_next(own) == ImportState.DONE
    imported.refresh_from_db()
    assert (imported.attempts, UsageLog.objects.count()) == (2, 100)


def test_whoever_dies_of_it_again_and_again_is_not_given_it_for_ever(acme: Organization, alice: User) -> None:
    imported = queue(acme, alice, many(100))
    for _ in range(running.MOST_ATTEMPTS):
        with beside() as dying:
            assert running.claim(dying)
        with beside() as own:
            running.revive(own)
    imported.refresh_from_db()
    assert (imported.state, imported.problem[:31]) == ("failed", "Whoever imported it was ended 3")


def test_cancelled_while_its_worker_died_it_ends(acme: Organization, alice: User) -> None:
    imported = queue(acme, alice, many(100))
    with beside() as dying:
        assert running.claim(dying)
    FileImport.objects.update(cancel_asked=True)
    with beside() as own:
        assert running.revive(own) == 0
    imported.refresh_from_db()
    assert imported.state == "cancelled"


def test_two_workers_do_not_take_the_same(acme: Organization, other: Organization, alice: User) -> None:
    first, second = queue(acme, alice, many(10)), queue(other, alice, many(10))
    with beside() as one, beside() as another, beside() as third:
        assert running.claim(one) == first
        assert running.claim(another) == second
        assert running.claim(third) is None


def test_the_site_fails_it_says_so_and_the_file_stays(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(running, "record_file", fail)
    imported = queue(acme, alice, many(10))
    with beside() as own, pytest.raises(ZeroDivisionError):
        run_next(own)
    imported.refresh_from_db()
    assert (imported.state, imported.problem, imported.may_start) == ("failed", running.BROKEN, True)


def test_calls_that_the_log_holds_already_stay_as_they_are(
    acme: Organization, alice: User, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-03-01T10:00Z", request_id="r-1", cost="1")])
    imported = import_now(acme, alice, b"timestamp,model,request_id,cost\n2025-03-01T10:00Z,gpt-5,r-1,2\n")
    assert counts(imported) == ("done", 0, 1, 0)
    assert str(UsageLog.objects.get().cost) == "1.000000000000"


def test_locks_of_a_session_end_with_it(acme: Organization) -> None:
    with beside() as one:
        assert one.try_lock(Lock.IMPORT, 1)
        with beside() as another:
            assert not another.try_lock(Lock.IMPORT, 1)
    with beside() as another:
        assert another.try_lock(Lock.IMPORT, 1)


@pytest.mark.parametrize(("name", "shown"), [(r"odd\u0000", r"odd\x00"), (r"odd\ud800", r"odd\ud800")])
def test_names_that_the_database_cannot_keep_stop_no_import(
    acme: Organization, alice: User, name: str, shown: str
) -> None:
    row = f'{{"timestamp": "2025-03-01T10:00Z", "model": "gpt-5", "{name}": 1}}\n'
    imported = import_now(acme, alice, row.encode())
    assert (imported.state, imported.new, imported.problem) == ("done", 1, "")
    assert imported.details["unused"] == [shown]
