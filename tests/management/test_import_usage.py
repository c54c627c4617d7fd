"""import_usage records a file's calls, all or nothing, and says what it did with them."""

import gzip
import json
import random
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from aggregates.domain.calls import FIELDS
from aggregates.ingest.recording import COLUMNS
from aggregates.models import Organization, UsageDay, UsageLog
from tests.fixtures import make_organization
from tests.patience import PATIENCE
from tests.processes import run_on_terminal, start
from tests.words import (
    CUT_OFF,
    DAMAGED,
    DOLLARS,
    EMPTY,
    LONG_LINE,
    NAN,
    NESTED,
    NOBODY,
    OBJECT,
    TIME,
    UTF8,
    VALUE,
    WHOLE,
)

Write = Callable[[str | bytes], str]

HEADER = "timestamp,model,input_tokens,cost"
MESSAGE = {
    "event": "message_send",
    "properties": {
        "main_model": "gpt-4o",
        "prompt_tokens": 638,
        "completion_tokens": 25,
        "cost": 0.1,
        "edit_format": "diff",
        "total_tokens": 663,
    },
    "time": 1723560043,
    "user_id": None,
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes a file with this content; its name says nothing about the format."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "usage"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def import_usage(path: str, *arguments: str) -> tuple[str, str]:
    """What it said on both channels, with the file's name as FILE."""
    out, err = StringIO(), StringIO()
    call_command("import_usage", path, "--organization", "acme", *arguments, stdout=out, stderr=err)
    return out.getvalue().replace(path, "FILE"), err.getvalue()


def refused(path: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        import_usage(path, *arguments)
    assert caught.value.returncode == 1
    assert not UsageLog.objects.exists()
    assert not UsageDay.objects.exists()
    return str(caught.value).replace(path, "FILE")


def log(*columns: str) -> list[Any]:
    return list(UsageLog.objects.order_by("timestamp", "id").values_list(*columns))


FULL = {
    "timestamp": "2025-03-01T12:00:00Z",
    "model": "gpt-5",
    "request_id": "r1",
    "operation": "chat",
    "provider": "openai",
    "user_id": "alice",
    "subject_id": "player",
    "project": "web",
    "status": "error",
    "latency_ms": 1200,
    "input_tokens": 100,
    "cached_tokens": 50,
    "cache_write_tokens": 20,
    "cache_write_1h_tokens": 5,
    "output_tokens": 10,
    "reasoning_tokens": 5,
    "cost": "0.123456789012",
    "service_tier": "flex",
    "kind": "call",
    "price_model": "gpt-5",
    "units": '{"input_audio_tokens": 9, "web_searches": 2}',
    "labels": '{"team": "search"}',
}


def quoted(value: object) -> str:
    """A cell of CSV."""
    text = str(value).replace('"', '""')
    return f'"{text}"'


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "content",
    [json.dumps(FULL), ",".join(FULL) + "\n" + ",".join(quoted(value) for value in FULL.values())],
    ids=["JSONL", "CSV"],
)
def test_every_field_is_taken_by_its_own_name(acme: Organization, write: Write, content: str, packed: bool) -> None:
    assert set(FULL) == set(FIELDS)
    said = import_usage(write(gzip.compress(content.encode()) if packed else content))
    assert said == ("FILE: 1 row read: 1 new, 0 already there, 0 rejected.\n", "")
    row = UsageLog.objects.get(organization=acme)
    assert {name: getattr(row, name) for name in FIELDS} == {
        **FULL,
        "timestamp": datetime(2025, 3, 1, 12, tzinfo=UTC),
        "cost": Decimal("0.123456789012"),
        "units": {"input_audio_tokens": 9, "web_searches": 2},
        "labels": {"team": "search"},
    }


def test_a_file_is_recorded_once_and_its_repeats_are_calls(acme: Organization, write: Write) -> None:
    path = write(f"{HEADER}\n" + "2025-03-01,gpt-5,10,0.5\n" * 3 + "2025-03-01,gpt-5,10,0.6\n")
    assert import_usage(path)[0] == "FILE: 4 rows read: 4 new, 0 already there, 0 rejected.\n"
    assert import_usage(path)[0] == "FILE: 4 rows read: 0 new, 4 already there, 0 rejected.\n"
    path = write(f"{HEADER}\n" + "2025-03-01,gpt-5,10,0.5\n" * 4)
    assert import_usage(path)[0] == "FILE: 4 rows read: 1 new, 3 already there, 0 rejected.\n"
    assert [cost for (cost,) in log("cost")] == [Decimal("0.5")] * 3 + [Decimal("0.6"), Decimal("0.5")]


def test_the_same_calls_are_found_again_whatever_the_format(acme: Organization, write: Write) -> None:
    import_usage(write(f"{HEADER}\n2025-03-01T05:30+05:30,gpt-5,10,0.50\n"))
    row = '{"cost": 0.5, "model": "gpt-5", "input_tokens": 10, "timestamp": 1740787200}'
    assert import_usage(write(row))[0] == "FILE: 1 row read: 0 new, 1 already there, 0 rejected.\n"


def test_columns_are_mapped_and_values_set(acme: Organization, write: Write) -> None:
    path = write("when,in,client,model\n2025-03-01 10:00:00.1234567,7,c1,o9\n")
    said = import_usage(
        *(path, "--map", "timestamp=when", "--map", "input_tokens=in"),
        *("--map", "user_id=client", "--set", "model=gpt-5", "--set", "provider= open=ai "),
    )
    assert said == ("FILE: 1 row read: 1 new, 0 already there, 0 rejected.\nNot used: “model”\n", "")
    assert log("timestamp", "input_tokens", "user_id", "model", "provider") == [
        (datetime(2025, 3, 1, 10, 0, 0, 123456, tzinfo=UTC), 7, "c1", "gpt-5", "open=ai")
    ]


def test_json_paths_are_mapped(acme: Organization, write: Write) -> None:
    rows = [
        {"t": 1740787200, "gen_ai": {"request.model": "gpt-5", "usage": {"in": 7, "out": 8}}, "cost": 0.5},
        {"t": 1740787201.5, "gen_ai": {"request.model": "o9"}, "cost": None},
    ]
    said = import_usage(
        write("\n".join(map(json.dumps, rows))),
        *("--map", "timestamp=t", "--map", "model=gen_ai.request.model"),
        *("--map", "input_tokens=gen_ai.usage.in", "--map", "output_tokens=gen_ai.usage.output"),
    )
    assert said[0] == (
        "FILE: 2 rows read: 2 new, 0 already there, 0 rejected.\n"
        "In no row: “gen_ai.usage.output”\nNot used: “gen_ai.usage.out”\n"
    )
    assert log("model", "input_tokens", "output_tokens", "cost") == [
        ("gpt-5", 7, 0, Decimal("0.5")),
        ("o9", 0, 0, None),
    ]


def test_numbers_are_added_up(acme: Organization, write: Write) -> None:
    said = import_usage(
        write("timestamp,model,fresh,read,a+b,x,y\n2025-03-01,m,7,5,3,0.25,\n2025-03-01,m,,5,4,0.1,0.2\n"),
        *("--map", "input_tokens=fresh + read", "--map", "output_tokens=a+b", "--map", "cost=x+y"),
    )
    assert said[0] == "FILE: 2 rows read: 2 new, 0 already there, 0 rejected.\n"
    assert sorted(log("input_tokens", "output_tokens", "cost")) == [(5, 4, Decimal("0.3")), (12, 3, Decimal("0.25"))]


def test_numbers_in_objects_are_added_up_and_those_that_no_row_has_are_told(acme: Organization, write: Write) -> None:
    rows = [
        {"timestamp": "2025-03-01", "model": "a+b", "user_id": "u", "usage": {"in": 7, "read": 5}, "more": 1},
        {"timestamp": "2025-03-01", "model": "a+b", "usage": {"read": None}},
    ]
    said = import_usage(
        write("\n".join(map(json.dumps, rows))),
        *("--map", "input_tokens=usage.in+usage.read+more", "--map", "output_tokens=usage.out+usage.other"),
    )
    assert said[0].splitlines()[1:] == ["In no row: “usage.out”, “usage.other”"]
    assert sorted(log("input_tokens", "output_tokens")) == [(0, 0), (13, 0)]


@pytest.mark.parametrize("value", ["some", True, {}])
def test_what_is_no_number_is_not_added_up(acme: Organization, write: Write, value: object) -> None:
    row = {"timestamp": "2025-03-01", "model": "m", "a": 1, "b": value}
    said = refused(write(json.dumps(row)), "--map", "input_tokens=a+b")
    assert said == "FILE: line 1: input_tokens: expected numbers to add up. Nothing of it was recorded."


def test_a_column_of_a_sum_has_to_be_there_and_texts_are_not_added_up(acme: Organization, write: Write) -> None:
    there = "the columns are: “timestamp”, “model”, “a”, “b”."
    path = write("timestamp,model,a,b\n2025-03-01,m,1,2\n")
    assert refused(path, "--map", "input_tokens=a+c") == f"there is no column “c”; {there}"
    assert refused(path, "--map", "user_id=a+b") == f"there is no column “a+b”; {there}"


def test_a_misspelt_column_is_noticed(acme: Organization, write: Write) -> None:
    said = import_usage(write("timestamp,model,input_token,größe,\x1b[2J\n2025-03-01,gpt-5,7,1,2\n"))
    assert said[0].splitlines()[1:] == ["Not used: “input_token”, “größe”, “\\x1b[2J”"]


def test_of_very_many_unused_keys_some_are_named(acme: Organization, write: Write) -> None:
    row = {"timestamp": "2025-03-01", "model": "m", **{f"key{number}": 1 for number in range(60)}}
    said = import_usage(write(json.dumps(row)))[0]
    assert said.endswith("“key48”, “key49”, …\n")


def test_offsets_count_from_a_start(acme: Organization, write: Write) -> None:
    path = write("t,model\n0.000,m\n86399.945,m\n")
    import_usage(path, "--map", "timestamp=t", "--start", "2025-03-01T00:00+05:30")
    assert [str(time) for (time,) in log("timestamp")] == [
        "2025-02-28 18:30:00+00:00",
        "2025-03-01 18:29:59.945000+00:00",
    ]


def test_an_offset_that_is_no_number_is_no_call(acme: Organization, write: Write) -> None:
    assert refused(write("timestamp,model\n1,m\n2025-03-01,m\n"), "--start", "2025-03-01") == (
        "FILE: line 3: timestamp: expected a number of seconds after --start. Nothing of it was recorded."
    )
    assert refused(write("timestamp,model\n,m\n"), "--start", "2025-03-01") == (
        f"FILE: line 2: timestamp: {VALUE}. Nothing of it was recorded."
    )


def test_the_preset_for_aider_takes_messages_and_leaves_out_other_events(acme: Organization, write: Write) -> None:
    other = {"event": "cli session", "properties": {"main_model": "gpt-4o"}, "time": 1723560042, "user_id": "u"}
    path = write("\n".join(map(json.dumps, [other, MESSAGE, {**MESSAGE, "user_id": "u"}, {"event": "exit"}])))
    said = import_usage(path, "--preset", "aider")
    assert said == (
        "FILE: 4 rows read: 2 new, 0 already there, 0 rejected, 2 of another kind.\n"
        "Not used: “properties.edit_format”, “properties.total_tokens”\n",
        "",
    )
    columns = "timestamp", "operation", "model", "user_id", "input_tokens", "output_tokens", "cost"
    at = datetime(2024, 8, 13, 14, 40, 43, tzinfo=UTC)
    assert sorted(log(*columns)) == [
        (at, "message_send", "gpt-4o", user, 638, 25, Decimal("0.1")) for user in ("", "u")
    ]


def test_a_preset_is_added_to_and_overridden(acme: Organization, write: Write) -> None:
    path = write(json.dumps({**MESSAGE, "project": "from the row", "model": "from the row"}))
    import_usage(path, "--preset", "aider", "--set", "provider=openai", "--map", "user_id=properties.edit_format")
    assert log("model", "provider", "user_id", "project") == [("gpt-4o", "openai", "diff", "")]


def test_stopping_keeps_nothing(acme: Organization, write: Write) -> None:
    rows = "".join(f"2025-03-01T00:{n // 60:02}:{n % 60:02},gpt-5,{n},0.1\n" for n in range(2000))
    path = write(f"{HEADER}\n{rows}2025-03-01,gpt-5,10,free\n2025-03-01,,10,1\n")
    assert refused(path) == (f"FILE: line 2002: cost: {DOLLARS}. Nothing of it was recorded.")


def test_skipping_keeps_the_rest_and_shows_the_first_rejections(acme: Organization, write: Write) -> None:
    good = "2025-03-01,gpt-5,10,0.5\n"
    path = write(f"{HEADER}\n{good}" + "2025-03-01,,10,0.5\n1,2\n" * 13 + good)
    said, complained = import_usage(path, "--on-error", "skip")
    assert said == "FILE: 28 rows read: 2 new, 0 already there, 26 rejected.\n"
    lines = complained.splitlines()
    assert lines[:2] == [f"line 3: model: {VALUE}", "line 4: expected 4 columns, got 2"]
    assert lines[19:] == ["line 22: expected 4 columns, got 2", "and 6 more"]
    assert UsageLog.objects.count() == 2


def test_up_to_twenty_rejections_are_all_shown(acme: Organization, write: Write) -> None:
    said, complained = import_usage(write(f"{HEADER}\n" + "1\n" * 20), "--on-error", "skip")
    assert said == "FILE: 20 rows read: 0 new, 0 already there, 20 rejected.\n"
    assert len(complained.splitlines()) == 20
    assert "more" not in complained


def test_a_header_without_rows_is_no_error(acme: Organization, write: Write) -> None:
    assert import_usage(write(HEADER))[0] == "FILE: 0 rows read: 0 new, 0 already there, 0 rejected.\n"


NAMES = (
    "aider, anthropic-costs, anthropic-usage, auto, bedrock, calls, claude-code, codex, cursor, gemini-cli, helicone, "
    "langfuse, litellm, openai-costs, openai-usage-export, openrouter"
)
BEGIN = '{"timestamp": "2025-03-01", "model": "m", '
THERE = "the columns are: “a”, “model”"
BAD_FILES: list[tuple[str, str | bytes, str]] = [
    ("empty", b"", EMPTY),
    ("blank", b"\n\n", EMPTY),
    ("picture", b"\x89PNG\r\n\x1a\n\0", f"line 1: {UTF8}"),
    ("array", "[\n{}]", f"line 2: timestamp: {VALUE}"),
    ("array that is cut off", "[" + BEGIN + '"cost": 1},', "the JSON ends too early"),
    ("same names", f"{HEADER},cost\n", "line 1: expected column names that differ, got “cost” twice"),
    ("not gzip", b"\x1f\x8bnonsense!", f"after line 0: {DAMAGED}"),
    (
        "cut gzip",
        gzip.compress(f"{HEADER}\n2025-03-01,m,1,1\n".encode())[:-4],
        f"after line 2: {CUT_OFF}",
    ),
    ("few columns", f"{HEADER}\n2025-03-01,m\n", "line 2: expected 4 columns, got 2"),
    ("many columns", f"{HEADER}\n2025-03-01,m,1,1,1\n", "line 2: expected 4 columns, got 5"),
    ("open quote", f'{HEADER}\n2025-03-01,m,1,"1\n', "line 2: expected CSV: unexpected end of data"),
    (
        "after lines in quotes",
        f'{HEADER}\n2025-03-01,"m\nm",1,1\nx,m,1,1\n',
        f"line 4: timestamp: {TIME}",
    ),
    ("after blank lines", f"\n{HEADER}\n\n\n2025-03-01,m,x,1\n", f"line 5: input_tokens: {WHOLE}"),
    ("no UTF-8", b"timestamp,model\n2025-03-01,\xe9t\xe9\n", "line 2: model: expected text in UTF-8"),
    ("NUL", b"timestamp,model\n2025-03-01,a\0b\n", "line 2: model: expected text without NUL characters"),
    (
        "long text",
        f"timestamp,model\n2025-03-01,{'x' * 300}\n",
        "line 2: model: expected at most 256 bytes of text, got 300",
    ),
    ("no time", f"{HEADER}\n,m,1,1\n", f"line 2: timestamp: {VALUE}"),
    (
        "old",
        f"{HEADER}\n1970-01-01,m,1,1\n",
        "line 2: timestamp: expected a time from the year 2000 on, got 1970-01-01 00:00 UTC",
    ),
    (
        "future",
        f"{HEADER}\n2999-01-01,m,1,1\n",
        "line 2: timestamp: expected a time that is not in the future, got 2999-01-01 00:00 UTC",
    ),
    ("negative", f"{HEADER}\n2025-03-01,m,-1,1\n", f"line 2: input_tokens: {WHOLE}"),
    ("fraction", BEGIN + '"input_tokens": 1.5}', f"line 1: input_tokens: {WHOLE}"),
    ("huge", BEGIN + '"input_tokens": 1e400}', f"line 1: input_tokens: {WHOLE}"),
    (
        "endless",
        BEGIN + f'"input_tokens": {"9" * 5000}}}',
        f"line 1: {NAN}",
    ),
    ("NaN", BEGIN + '"cost": NaN}', f"line 1: {NAN}"),
    ("deep", BEGIN + f'"extra": {"[" * 100_000}', f"line 1: {NESTED}"),
    ("true", BEGIN + '"output_tokens": true}', f"line 1: output_tokens: {WHOLE}"),
    ("object", BEGIN + '"user_id": {"id": 1}}', "line 1: user_id: expected text"),
    ("escaped surrogate", BEGIN + '"user_id": "\\ud800"}', "line 1: user_id: expected text in UTF-8"),
    ("status", BEGIN + '"status": "200"}', "line 1: status: expected ok or error"),
    ("parts", BEGIN + '"reasoning_tokens": 1}', "line 1: expected reasoning_tokens to be within output_tokens"),
    (
        "no JSON",
        BEGIN + '"cost": 1}\n\n{cost: 1}',
        "line 3: expected JSON: Expecting property name enclosed in double quotes at character 2",
    ),
    ("scalar", BEGIN + '"cost": 1}\n7\n', f"line 2: {OBJECT}"),
    ("list", BEGIN + '"cost": 1}\n[]\n', f"line 2: {OBJECT}"),
    ("long line", BEGIN + f'"extra": "{"x" * 10_000_000}"}}', f"line 1: {LONG_LINE}"),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES])
def test_bad_files(acme: Organization, write: Write, content: str | bytes, message: str) -> None:
    assert refused(write(content)) == f"FILE: {message}. Nothing of it was recorded."


def test_what_is_wrong_with_unused_columns_does_not_matter(acme: Organization, write: Write) -> None:
    import_usage(write(b"timestamp,model,prompt\n2025-03-01,m,\xe9\0\n2025-03-01,m," + b"x" * 200_000 + b"\n"))
    assert UsageLog.objects.count() == 2


def test_damage_ends_it_even_when_bad_rows_are_skipped(acme: Organization, write: Write) -> None:
    path = write(gzip.compress(f"{HEADER}\n2025-03-01,m,1,1\n".encode())[:-4])
    assert refused(path, "--on-error", "skip").startswith(f"FILE: after line 2: {CUT_OFF}.")


def test_files_that_are_none(acme: Organization, tmp_path: Path) -> None:
    assert refused(str(tmp_path)) == "FILE: Is a directory. Nothing of it was recorded."
    assert refused(str(tmp_path / "x")) == "FILE: No such file or directory. Nothing of it was recorded."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "input_token=a"], f"there is no field “input_token”; the fields are: {', '.join(FIELDS)}."),
        (["--set", "user=a"], f"there is no field “user”; the fields are: {', '.join(FIELDS)}."),
        (["--map", "cost=a", "--set", "cost=1"], "cost is both mapped and set."),
        (["--map", "cost=a", "--map", "cost=b"], "cost is given twice."),
        (["--set", "cost=a", "--set", "cost=b"], "cost is given twice."),
        (["--set", "cost=a"], f"cost: {DOLLARS}."),
        (["--map", "cost=Cost"], "there is no column “Cost”; the columns are: “a”, “model”."),
        ([], f"no column is called timestamp: say which it is with --map timestamp=COLUMN; {THERE}."),
        (["--preset", "aider"], "there is no column “time”; the columns are: “a”, “model”."),
        (["--map", "cost"], "Error: argument --map: expected FIELD=..., got “cost”"),
        (
            ["--start", "soon"],
            f"Error: argument --start: {TIME}, got “soon”",
        ),
        (
            ["--preset", "copilot"],
            f"there is no preset “copilot”; there is: {NAMES}.",
        ),
        (["--organization", "nobody"], NOBODY),
    ],
)
def test_arguments_that_do_not_fit(acme: Organization, write: Write, arguments: list[str], message: str) -> None:
    assert refused(write("a,model\nnot,read\n"), *arguments) == message


def test_other_organizations_stay_as_they_are(acme: Organization, other: Organization, write: Write) -> None:
    import_usage(write(f"{HEADER}\n2025-03-01,m,1,1\n"))
    assert not UsageLog.objects.filter(organization=other).exists()


def test_a_database_that_refuses_is_said_in_words(acme: Organization, write: Write) -> None:
    """While rows are copied, and when they are moved to the log."""
    path = write(f"{HEADER}\n2025-03-01,m,1,1\n")
    with connection.cursor() as cursor:
        columns = f"{', '.join(COLUMNS)}, false AS id_from_content"
        cursor.execute(f"CREATE TEMPORARY TABLE staged_call AS SELECT {columns} FROM aggregates_usagelog")
        cursor.execute("ALTER TABLE staged_call ADD CONSTRAINT no_m CHECK (model <> 'm')")
        assert refused_by_database(path) == 'new row for relation "staged_call" violates check constraint "no_m"'
        cursor.execute("DROP TABLE staged_call")
        cursor.execute("ALTER TABLE aggregates_usagelog ADD CONSTRAINT no_m CHECK (model <> 'm')")
    message = 'new row for relation "aggregates_usagelog_2025_03" violates check constraint "no_m"'
    assert refused_by_database(path) == message


def refused_by_database(path: str) -> str:
    found = re.fullmatch(r"The database failed: (.*)\. Nothing of FILE was recorded\.", refused(path))
    assert found
    return found[1]


# ------------------------------------------------------------------ as a process


def import_from_pipe() -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return start("import_usage", "-", "--organization", "acme", **pipes)


@pytest.mark.slow
def test_standard_input_is_read_and_statuses_tell(transactional_db: None) -> None:
    make_organization("acme")
    for content, status, said in [
        (
            gzip.compress(b"timestamp,model\n2025-03-01,m\n"),
            0,
            "standard input: 1 row read: 1 new, 0 already there, 0 rejected.\n",
        ),
        (
            b"timestamp,model\n2025-03-02,m\n2025-03-01,\n",
            1,
            f"CommandError: standard input: line 3: model: {VALUE}. Nothing of it was recorded.\n",
        ),
    ]:
        with import_from_pipe() as process:
            assert process.stdin
            process.stdin.buffer.write(content)  # type: ignore[attr-defined]
            assert process.communicate(timeout=PATIENCE)[0] == said
        assert process.returncode == status
    assert UsageLog.objects.count() == 1


@pytest.mark.slow
def test_an_interruption_leaves_nothing(transactional_db: None) -> None:
    make_organization("acme")
    with import_from_pipe() as process:
        assert process.stdin
        # More than a pipe holds: when all is written, some of it has been read.
        process.stdin.write("timestamp,model\n" + "2025-03-01,m\n" * 100_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert said == "CommandError: Interrupted. Nothing of standard input was recorded.\n"
    assert process.returncode == 130
    assert not UsageLog.objects.exists()


@pytest.mark.slow
def test_a_terminal_shows_progress_by_bytes_of_the_file(transactional_db: None, tmp_path: Path) -> None:
    make_organization("acme")
    path = tmp_path / "usage"
    chance = random.Random(1)
    users = (chance.randbytes(12).hex() for _ in range(20_000))  # more than Python reads at once, also compressed
    rows = "".join(f"2025-03-01T00:00:{n % 60:02}.{n},m{n},{user}\n" for n, user in enumerate(users))
    path.write_bytes(gzip.compress(f"timestamp,model,user_id\n{rows}".encode()))
    status, shown = run_on_terminal("import_usage", str(path), "--organization", "acme")
    assert status == 0
    assert re.search(rf"[1-9]\d?%\|.*k/{path.stat().st_size / 1000:.0f}k ", shown)
    assert "All is read; now the database writes it to the log." in shown
    assert "20,000 rows read: 20,000 new" in shown


def test_elsewhere_there_is_no_progress(acme: Organization, write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    import_usage(write(f"{HEADER}\n" + "2025-03-01,m,1,1\n" * 3000))
    assert capfd.readouterr().err == ""
