"""What is known of the days of a range."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from aggregates.accounts import day_notes
from aggregates.accounts.day_notes import CannotNote
from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DayNote, Organization, UsageLog, UsagePeriod, User
from aggregates.pricing.overrides import set_price
from aggregates.query import notes as reading
from aggregates.query.notes import Note, NoteKind, read_notes
from aggregates.query.selection import Selection
from aggregates.rollup import removal
from aggregates.rollup.names_elsewhere import replace_elsewhere
from aggregates.rollup.protocol import roll_up

MakeCall = Callable[..., Call]
FIRST, LAST = date(2025, 7, 1), date(2025, 7, 31)


def july(organization: Organization, **fields: Any) -> Selection:
    chosen = ranges.of_days("custom", FIRST, LAST, organization.time_zone)
    return Selection(organization, chosen, **fields)


def test_notes_of_days_that_touch_the_range_come_by_day(acme: Organization, other: Organization, alice: User) -> None:
    for first, last, text in (
        (date(2025, 6, 30), None, "before"),
        (date(2025, 8, 1), None, "after"),
        (date(2025, 6, 20), date(2025, 7, 1), "into it"),
        (date(2025, 7, 31), date(2025, 8, 9), "out of it"),
        (date(2025, 7, 14), None, "within"),
        (date(2025, 6, 1), date(2025, 8, 31), "around it"),
    ):
        day_notes.add(acme, first, last, text, alice)
    day_notes.add(other, date(2025, 7, 14), None, "of others", None)

    found = read_notes(july(acme))

    assert [note.text for note in found] == ["around it", "into it", "within", "out of it"]
    assert found[2] == Note(NoteKind.NOTE, date(2025, 7, 14), date(2025, 7, 14), "within", "alice@example.com")


def test_own_prices_that_begin_are_told(acme: Organization, other: Organization) -> None:
    prices = {"input": 1, "output": 2}
    set_price(acme, "gpt-*", date(2025, 7, 10), None, prices, None)
    set_price(acme, "gpt-*", date(2025, 7, 11), date(2025, 7, 12), prices, None, tier="batch")
    set_price(acme, "ever", None, None, prices, None)
    set_price(other, "theirs", date(2025, 7, 10), None, prices, None)

    assert [(note.first.day, note.kind, note.text) for note in read_notes(july(acme))] == [
        (10, NoteKind.PRICE, "An own price of “gpt-*” begins"),
        (11, NoteKind.PRICE, "An own price of “gpt-*” (batch) begins"),
    ]


@pytest.fixture
def used(acme: Organization, call: MakeCall) -> Organization:
    """Months of usage, rolled up, in which models come one after another."""
    days = ("2025-03-05", "2025-05-06", "2025-06-30", "2025-07-14", "2025-07-20")
    for day, model in zip(days, ("old", "older", "june", "new", "newer"), strict=True):
        record(acme, [call(f"{day}T12:00Z", model=model), call("2025-07-28T12:00Z", model=model)])
    record(acme, [call("2025-07-15T12:00Z", model="charged", kind="charge", cost="-1")])
    roll_up()
    return acme


@pytest.mark.parametrize("summed", [False, True])
def test_models_that_are_new_are_told_from_aggregates(used: Organization, summed: bool) -> None:
    assert UsagePeriod.objects.filter(organization=used, unit="month").exists()
    if not summed:
        UsagePeriod.objects.all().delete()

    with CaptureQueriesContext(connection) as asked:
        found = read_notes(july(used))

    assert [(note.first, note.text) for note in found] == [
        (date(2025, 7, 14), "First calls of new"),
        (date(2025, 7, 20), "First calls of newer"),
    ]
    assert len(asked) == 1
    assert not any(UsageLog._meta.db_table in query["sql"] for query in asked)


def test_on_the_first_day_of_all_no_model_is_new(used: Organization) -> None:
    chosen = ranges.of_days("custom", date(2025, 3, 1), date(2025, 5, 31), "UTC")

    assert [note.text for note in read_notes(Selection(used, chosen))] == ["First calls of older"]


def test_of_models_only_those_that_filters_let_through(used: Organization) -> None:
    only = read_notes(july(used, filters=(("model", "new"), ("user", "alice"))))
    without = read_notes(july(used, excluded=(("model", "new"),)))

    assert [note.text for note in only] == ["First calls of new"]
    assert [note.text for note in without] == ["First calls of newer"]


def test_models_that_filters_leave_out_take_no_place(used: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST", 1)

    only = read_notes(july(used, filters=(("model", "new"), ("model", "june"))))
    without = read_notes(july(used, excluded=(("model", "newer"), ("model", "june"))))

    assert [note.text for note in only] == ["First calls of new"]
    assert [note.text for note in without] == ["First calls of new"]


def test_a_name_is_no_part_of_our_sentence(used: Organization, call: MakeCall) -> None:
    for model in ("mine (now deleted)", "gpt\u200b", "אליס"):
        record(used, [call("2025-07-29T12:00Z", model=model)])
    roll_up()
    day_notes.add(used, date(2025, 7, 29), None, "a\u200bb", None)

    assert {note.words for note in read_notes(july(used)) if note.first.day == 29} == {
        "a⟨U+200B⟩b",
        "First calls of “mine (now deleted)”",
        "First calls of “gpt⟨U+200B⟩”",
        "First calls of \u2068אליס\u2069",
    }


def test_models_of_others_are_not_ours(used: Organization, other: Organization, call: MakeCall) -> None:
    record(other, [call("2024-01-01T12:00Z", model="new"), call("2025-07-02T12:00Z", model="theirs")])
    roll_up()

    assert [note.text for note in read_notes(july(used))] == ["First calls of new", "First calls of newer"]


def test_of_each_kind_the_latest_are_told(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST", 2)
    for day in (1, 2, 3):
        day_notes.add(acme, date(2025, 7, day), None, f"note {day}", None)

    assert [note.text for note in read_notes(july(acme))] == ["note 2", "note 3"]


def test_days_are_those_of_the_organization(acme: Organization, call: MakeCall) -> None:
    acme.time_zone = "Pacific/Auckland"
    acme.save()
    record(acme, [call("2025-07-01T12:00Z", model="first"), call("2025-07-10T13:00Z", model="new")])
    roll_up()

    assert [note.first for note in read_notes(july(acme))] == [date(2025, 7, 11)]


@pytest.mark.parametrize("fields", [{"text": ""}, {"text": "launch"}, {"text": "x", "last": date(2025, 7, 13)}])
def test_the_database_refuses_what_must_not_be(acme: Organization, fields: dict[str, Any]) -> None:
    DayNote.objects.create(organization=acme, first=date(2025, 7, 14), text="launch")

    with pytest.raises(IntegrityError), transaction.atomic():
        DayNote.objects.create(**{"organization": acme, "first": date(2025, 7, 14), **fields})


def test_there_may_be_so_many_and_each_once(acme: Organization, other: Organization) -> None:
    days = [date(2020, 1, 1 + number % 28) for number in range(day_notes.MOST)]
    DayNote.objects.bulk_create(
        DayNote(organization=acme, first=day, text=f"note {number}") for number, day in enumerate(days)
    )

    with pytest.raises(CannotNote, match="already"):
        day_notes.add(acme, days[0], None, "note 0", None)
    with pytest.raises(CannotNote, match="1,000 notes already"):
        day_notes.add(acme, FIRST, None, "one more", None)
    day_notes.add(other, FIRST, None, "one more", None)


def test_notes_outlive_their_author_and_go_with_their_organization(
    acme: Organization, other: Organization, alice: User
) -> None:
    note = day_notes.add(acme, FIRST, None, "launch", alice)
    kept = day_notes.add(other, FIRST, None, "launch", None)
    alice.delete()
    note.refresh_from_db()
    assert (note.author, read_notes(july(acme))[0].author) == (None, "")

    removal.remove(acme)

    assert list(DayNote.objects.all()) == [kept]


def test_a_users_name_is_replaced_in_notes(acme: Organization) -> None:
    note = day_notes.add(acme, FIRST, None, "alice's launch", None)

    found = replace_elsewhere(acme, "alice", "user-1", apply=True)

    note.refresh_from_db()
    assert (found["day notes"], note.text) == (1, "user-1's launch")
