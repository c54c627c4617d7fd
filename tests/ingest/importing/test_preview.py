"""What a preview says of files of any kind, before anything of them is recorded."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aggregates.domain.calls import Call
from aggregates.ingest.importing import preview as previewing
from aggregates.ingest.importing.guesses import guess
from aggregates.ingest.importing.preview import Preview, preview
from aggregates.models import Organization, UsageLog, User
from tests.ingest.dialects.samples import CODEX, lines
from tests.ingest.importing.conftest import LARGEST, give
from tests.words import CUT_OFF

OWN = b"timestamp,model,input_tokens,output_tokens,cost,user_id\n"
UNKNOWN = b"when,Model Name,Prompt Tokens,Cache Tokens,Completion Tokens,Created At,USD\n"


def look(
    organization: Organization,
    user: User,
    content: bytes,
    base: str = "auto",
    paths: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
) -> Preview:
    imported = give(organization, user, content)
    imported.base, imported.paths, imported.values = base, paths or {}, values or {}
    found = preview(imported, LARGEST)
    assert not UsageLog.objects.exists()
    return found


def test_a_file_with_our_own_names(acme: Organization, alice: User) -> None:
    rows = b"2025-03-01T10:00Z,gpt-5,1200,340,0.25,alice\n2025-03-02T11:00Z,o9,10,5,,bob\n"
    found = look(acme, alice, OWN + rows)

    assert found.recognized and found.recognized.name == "calls"
    assert (found.problem, found.is_whole, found.number, found.unpriced) == ("", True, 2, 1)
    assert (found.cost, found.tokens, dict(found.models)) == (Decimal("0.25"), 1555, {"gpt-5": 1, "o9": 1})
    assert (found.earliest, found.latest) == (
        datetime(2025, 3, 1, 10, tzinfo=UTC),
        datetime(2025, 3, 2, 11, tzinfo=UTC),
    )
    assert [call.user_id for call in found.shown] == ["alice", "bob"]


def test_a_call_without_a_cost_has_the_price_that_it_will_have_in_the_log(acme: Organization, alice: User) -> None:
    found = look(acme, alice, OWN + b"2025-09-01T10:00Z,gpt-5,1000000,0,,\n")
    assert found.cost == found.shown[0].cost == Decimal("1.25")


def test_a_session_of_an_assistant_is_recognised(acme: Organization, alice: User) -> None:
    found = look(acme, alice, lines(*CODEX).encode())
    assert found.recognized and found.recognized.name == "codex"
    assert found.number == 2


def test_gzip_is_as_good(acme: Organization, alice: User) -> None:
    assert look(acme, alice, gzip.compress(OWN + b"2025-03-01T10:00Z,gpt-5,1,1,1,\n")).number == 1


def test_of_an_unknown_file_fields_are_proposed_by_the_names_of_its_columns(acme: Organization, alice: User) -> None:
    found = look(acme, alice, UNKNOWN + b"x,gpt-5,100,20,30,2025-03-01 10:00:00,0.5\n")

    assert found.is_unknown and not found.problem
    assert found.paths == {
        "timestamp": "Created At",
        "model": "Model Name",
        "input_tokens": "Prompt Tokens",
        "output_tokens": "Completion Tokens",
        "cost": "USD",
    }
    assert found.shown == [
        Call(
            datetime(2025, 3, 1, 10, tzinfo=UTC),
            "gpt-5",
            input_tokens=100,
            output_tokens=30,
            cost=Decimal("0.5"),
        )
    ]


def test_columns_are_added_up_as_chosen(acme: Organization, alice: User) -> None:
    paths = {"timestamp": "Created At", "model": "Model Name", "input_tokens": "Prompt Tokens+Cache Tokens"}
    found = look(acme, alice, UNKNOWN + b"x,gpt-5,100,20,30,2025-03-01,0.5\n", "", paths, {"user_id": "alice"})
    assert [(call.input_tokens, call.user_id) for call in found.shown] == [(120, "alice")]


def test_without_a_likely_column_it_asks_which_one_is_the_time(acme: Organization, alice: User) -> None:
    found = look(acme, alice, b"a,b\n1,2\n")
    assert found.problem == (
        "The format of the file is not recognised: say which column is timestamp and which is model."
    )
    assert found.calls is None and found.columns == ("a", "b")


def test_json_of_an_unknown_format_offers_its_paths(acme: Organization, alice: User) -> None:
    row = {"meta": {"at": "2025-03-01T10:00Z", "who": {"name": "alice"}}, "llm": "gpt-5", "messages": ["private"]}
    found = look(acme, alice, json.dumps(row).encode())
    assert found.columns == ("meta.at", "meta.who.name", "llm")
    chosen = {"timestamp": "meta.at", "model": "llm", "user_id": "meta.who.name"}
    assert [call.user_id for call in look(acme, alice, json.dumps(row).encode(), "", chosen).shown] == ["alice"]


def test_rows_that_are_no_calls_are_named_by_their_line(acme: Organization, alice: User) -> None:
    found = look(acme, alice, OWN + b"2025-03-01T10:00Z,gpt-5,1,1,1,\nyesterday,gpt-5,1,1,1,\n2025-03-01,,1,1,1,\n")
    assert found.number == 1 and found.calls
    assert [(each.line, each.reason.partition(":")[0]) for each in found.calls.rejections] == [
        (3, "timestamp"),
        (4, "model"),
    ]


def test_wrong_encoding_is_named_by_its_line(acme: Organization, alice: User) -> None:
    found = look(acme, alice, OWN + "2025-03-01T10:00Z,gpt-5,1,1,1,Zoë\n".encode("latin-1"))
    assert found.calls and [str(each) for each in found.calls.rejections] == ["line 2: user_id: expected text in UTF-8"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\n \n", "The file is empty."),
        (b"PK\x03\x04rest", "Expected CSV with a header line, or JSON, plain or gzip; got a ZIP archive or a workbook"),
        (b"\xff\xfea\0,\0", "Expected CSV with a header line, or JSON, plain or gzip; got text in UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "Line 1: expected UTF-8 text"),
        (
            gzip.compress(b"timestamp,model\n2025-03-01,gpt-5\n", mtime=0)[:-9],
            f"After line 2: {CUT_OFF}.",
        ),
        (b"a,a\n1,2\n", "Line 1: expected column names that differ, got “a” twice."),
    ],
)
def test_what_cannot_be_read_is_said_in_words(acme: Organization, alice: User, content: bytes, problem: str) -> None:
    found = look(acme, alice, content)
    assert found.problem.startswith(problem)
    assert found.calls is None


def test_a_page_of_costs_is_charges_with_a_word_about_them(acme: Organization, alice: User) -> None:
    found = look(
        acme,
        alice,
        b"start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
        b"1740787200,1740873600,2025-03-01,2025-03-02,-2.5,usd,credit\n",
    )
    assert (found.number, found.charges, found.calls_alone, found.unpriced) == (1, 1, 0, 0)
    assert (found.cost, bool(found.note)) == (Decimal("-2.5"), True)


def test_only_the_head_of_a_large_file_is_read(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "MOST_ROWS", 1_000)
    row = b"2025-03-01T10:00Z,gpt-5,1,1,0.01,alice\n"
    found = look(acme, alice, OWN + row * 100_000)

    assert (found.number, found.is_whole, found.cost) == (1_000, False, Decimal(10))
    assert 1_000 < found.estimated_rows < 500_000


def test_a_large_file_of_nonsense_is_not_read_to_its_end(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "MOST_ROWS", 100)
    found = look(acme, alice, b'{"timestamp": "2025-03-01", "model": "o9"}\n' + b"nonsense\n" * 10_000)
    assert found.calls and found.calls.rejected <= 100 and not found.is_whole


def test_a_column_is_one_field_at_most() -> None:
    assert guess(["time", "user", "input_tokens", "inputTokens", "id"]) == {
        "timestamp": "time",
        "request_id": "id",
        "user_id": "user",
        "input_tokens": "input_tokens",
    }


@pytest.mark.parametrize("name", [r"odd\u0000", r"odd\ud800", r"odd\n"])
def test_names_that_nobody_can_type_are_not_proposed(acme: Organization, alice: User, name: str) -> None:
    row = f'{{"time{name[3:]}": "2025-03-01T10:00Z", "model": "gpt-5", "{name}": 1}}\n'
    found = look(acme, alice, row.encode())
    assert found.columns == ("model",)
    assert found.paths == {"model": "model"}
    assert found.problem.endswith("say which column is timestamp.")


def test_of_very_many_columns_the_first_are_proposed(acme: Organization, alice: User) -> None:
    header = ",".join([*(f"c{number}" for number in range(16_382)), "when", "model"])
    found = look(acme, alice, f"{header}\n".encode())
    assert len(found.columns) == 200
    assert found.paths == {"model": "model"}
    found = look(acme, alice, f"{header}\n".encode(), base="", paths={"timestamp": "never"})
    assert found.problem.startswith("There is no column “never”; the columns are: “c0”, ")
    assert found.problem.endswith("“c49” and 16,334 more.")


def test_a_row_that_tells_of_millions_of_calls_is_not_looked_at_to_its_end(acme: Organization, alice: User) -> None:
    header = b"start_time,end_time,model,num_model_requests,input_tokens,output_tokens\n"
    found = look(acme, alice, header + b"1740787200,1740873600,gpt-4o,10000000,20000000,20000000\n")
    assert (found.number, found.tokens, found.is_whole) == (10_000, 40_000, False)
