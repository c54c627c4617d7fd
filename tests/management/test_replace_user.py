"""manage.py replace_user: a pseudonym stands wherever the name stood, and no sum changes."""

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.sql import SQL, Identifier

from aggregates.accounts import keys
from aggregates.db import clock
from aggregates.domain.calls import Call
from aggregates.domain.periods import Period
from aggregates.ingest import record, remember_reports
from aggregates.ingest.identity import Report
from aggregates.models import (
    ApiKey,
    ArrivalCount,
    BreakdownChunk,
    CallReport,
    DayNote,
    FileImport,
    Membership,
    Organization,
    SavedPreset,
    SavedView,
    StaleDay,
    UsageDay,
    UsageLog,
    UsagePeriod,
)
from aggregates.query import runner
from aggregates.query.usage_query import Bucket, UsageQuery
from aggregates.rollup import day_sums, period_sums, pseudonyms, retention
from aggregates.rollup.protocol import roll_up

MakeCall = Callable[..., Call]
NAME = "alice 100%"


def run(*arguments: str, name: str = NAME) -> str:
    out = io.StringIO()
    call_command("replace_user", name, "--organization", "acme", *arguments, stdout=out)
    return out.getvalue()


def pseudonym(said: str) -> str:
    return said.partition("The pseudonym is ")[2].partition(".")[0]


def answers(organization: Organization, name: str, new: str) -> dict[Any, Any]:
    """What every way of asking answers, with the name as what it is to become."""
    found: dict[Any, Any] = {}
    for bucket in (Bucket.DAY, Bucket.MONTH, Bucket.TOTAL):
        for by in ((), ("user",), ("subject",), ("model",), ("user", "subject"), ("model", "user"), ("tier", "user")):
            query = UsageQuery.for_dates(
                organization, min(days(organization)), max(days(organization)), bucket=bucket, by=by
            )
            for row in runner.read([query])[query].rows:
                group = tuple(new if value == name else value for value in row.group)
                key = (bucket, by, row.start, group)
                found[key] = row.sums if key not in found else type(row.sums).of([found[key], row.sums])
    return found


def days(organization: Organization) -> list[Any]:
    return list(UsageDay.objects.filter(organization=organization).values_list("date", flat=True))


def whole_database() -> str:
    """All rows of all tables of this site, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("aggregates_"):
                statement = SQL("SELECT row::text FROM {} AS row").format(Identifier(table))
                cursor.execute(statement.as_string())
                found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


@pytest.fixture
def used(acme: Organization, other: Organization, call: MakeCall) -> Organization:
    """January's calls are gone and their sums kept; February's and March's are in the log, one late."""
    tokens = {"input_tokens": 100, "cached_tokens": 30}
    for organization in (acme, other):
        record(
            organization,
            [
                call(f"2025-{month:02}-{day:02}T10:00Z", user_id=user, subject_id=subject, cost=cost, **tokens)
                for month in (1, 2, 3)
                for day in (5, 6)
                for user, subject, cost in (
                    (NAME, "", "1.5"),
                    (NAME, NAME, "0.25"),
                    ("bob", NAME, "0.125"),
                    ("", "game", "4"),
                )
            ],
        )
    record(acme, [call("2025-03-06T11:00Z", labels={"who": NAME, "team": "blue"}, cost="2")])
    roll_up()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")  # as after a commit
    retention.drop_month(min(days(acme)).replace(day=1))
    record(acme, [call("2025-02-05T12:00Z", user_id=NAME, cost="3")])  # late
    return acme


def test_no_answer_changes_but_for_the_name(used, other):
    new = pseudonyms.pseudonym_of(used, NAME)
    before, of_other = answers(used, NAME, new), answers(other, "", "")

    said = run("--apply")

    assert pseudonym(said) == new
    assert answers(used, NAME, new) == before
    assert not [key for key in answers(used, "", "") if NAME in key[3]]
    assert answers(other, "", "") == of_other
    roll_up()
    assert judge_of_log(used) == []
    assert answers(used, NAME, new) == before
    assert UsagePeriod.objects.filter(organization=used).exists()
    assert not BreakdownChunk.objects.filter(organization=used, user_id__contains=[NAME]).exists()


def judge_of_log(organization: Organization) -> list[str]:
    wrong = [str(one) for day in days(organization) for one in day_sums.verify(day, [organization.pk])]
    periods = UsagePeriod.objects.filter(organization=organization).values_list("unit", "first")
    return wrong + [str(period) for period in periods if period_sums.verify(Period(*period), [organization.pk])]


def test_what_would_change_is_shown_by_month_and_nothing_changes(used):
    before = whole_database()

    said = run()

    assert said.startswith(
        "month    rows of the log\n2025-02                7\n2025-03                7\ntotal                 14\n"
        "Sums of 2 days whose calls are no longer all in the log.\n"
        "Nothing was changed: --apply does it.\n"
    ), said
    assert "Not covered: backups" in said
    assert "Calls of that name that come later are recorded as they are sent" in said
    assert whole_database() == before


def test_where_the_pseudonym_stands_already_rows_become_one(used, call):
    new = pseudonym(run("--apply"))
    record(used, [call("2025-03-05T12:00Z", user_id=NAME, cost="7")])
    roll_up()
    before = answers(used, NAME, new)

    assert pseudonym(run("--apply")) == new  # the same again

    assert answers(used, NAME, new) == before
    (march,) = UsageDay.objects.filter(organization=used, date="2025-03-05")
    assert not StaleDay.objects.filter(organization=used, date=march.date).exists()
    assert judge_of_log(used) == []
    (chunk,) = BreakdownChunk.objects.filter(organization=used, unit="day", first=march.date, grain="user")
    assert sorted(chunk.user_id) == ["", "bob", new]


def test_it_stands_nowhere_else_either(used, other, call):
    key, _ = keys.create(used, f"of {NAME}", None, labels={"owner": NAME})
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    for reason in (f"user: expected a name, got “{NAME}”", "something else"):
        ArrivalCount.objects.create(
            organization=used, api_key=key, hour=now, outcome="rejected", reason=reason, count=2, last_at=now
        )
    FileImport.objects.create(
        organization=used,
        name=f"{NAME}.csv",
        size=1,
        values={"user_id": NAME},
        details={"rejections": [[1, "", f"got {NAME}"]]},
        problem=f"Row 1: {NAME} is no time.",
    )
    SavedPreset.objects.create(organization=used, name="mine", paths={}, values={"user_id": NAME})
    one = call("2025-03-05T10:00Z", user_id=NAME, subject_id=NAME, labels={"who": NAME})
    report = Report("s", "scope", one.timestamp, one.timestamp, "", "", one, "", NAME, "", "", False)
    remember_reports(used, [report])
    UsageLog.objects.filter(organization=other).delete()
    BreakdownChunk.objects.filter(organization=other).delete()

    said = run("--apply")

    assert NAME not in whole_database()
    assert "alice" not in whole_database()
    new = pseudonym(said)
    assert ApiKey.objects.get().labels == {"owner": new}
    assert CallReport.objects.get().user_id == new
    assert UsageLog.objects.get(labels__isnull=False).labels == {"who": new, "team": "blue"}
    run("--apply")
    assert "The name stands nowhere here." in run()


def test_counts_of_the_same_reason_become_one(used):
    key, _ = keys.create(used, "theirs", None)
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    new = pseudonyms.pseudonym_of(used, NAME)
    for name in (NAME, new):
        ArrivalCount.objects.create(
            organization=used, api_key=key, hour=now, outcome="rejected", reason=f"{name}: no", count=2, last_at=now
        )

    run("--apply")

    (count,) = ArrivalCount.objects.all()
    assert (count.reason, count.count) == (f"{new}: no", 4)


def alike(longest: int, new: str) -> tuple[list[str], list[str]]:
    """Texts that become the same: as the pseudonym stands in one already, or as they are cut; and what they become."""
    long = f"{NAME} ".ljust(longest - 1, "x")
    return [f"{NAME}: a", f"{new}: a", f"{long}1", f"{long}2"], [f"{new}: a", f"{new} ".ljust(longest, "x")]


def numbered(names: list[str], longest: int) -> set[str]:
    return {*names, *(f"{name[: longest - 2]} 2" for name in names)}


def test_views_and_presets_that_are_then_called_the_same_get_numbers(acme, alice):
    new = pseudonyms.pseudonym_of(acme, NAME)
    names, renamed = alike(64, new)
    for name in names:
        SavedPreset.objects.create(organization=acme, name=name, paths={}, values={})
    run("--apply")
    assert {preset.name for preset in SavedPreset.objects.all()} == numbered(renamed, 64)

    names, renamed = alike(60, new)
    owners = (None, Membership.objects.get(user=alice))
    for name in names:
        for owner in owners:
            SavedView.objects.create(organization=acme, owner=owner, name=name, parameters={"user": [NAME]})
    run("--apply")
    for owner in owners:
        views = SavedView.objects.filter(owner=owner)
        assert {view.name for view in views} == numbered(renamed, 60)
        assert [view.parameters for view in views] == [{"user": [new]}] * 4
    assert NAME not in whole_database()


def test_notes_that_then_say_the_same_of_a_day_become_one(acme):
    texts, renamed = alike(200, pseudonyms.pseudonym_of(acme, NAME))
    days = (date(2025, 3, 5), date(2025, 3, 6))
    for text in texts:
        for day in days:
            DayNote.objects.create(organization=acme, first=day, text=text)

    run("--apply")

    notes = sorted((note.first, note.text) for note in DayNote.objects.all())
    assert notes == sorted((day, text) for day in days for text in renamed)


def test_another_name_that_holds_it_stays(used, call):
    record(used, [call("2025-03-05T13:00Z", user_id=f"{NAME}b", cost="1")])

    run("--apply")

    assert UsageLog.objects.filter(user_id=f"{NAME}b").count() == 1


def test_a_call_of_the_name_that_comes_later_is_recorded_as_it_is_sent(used, call):
    run("--apply")

    record(used, [call("2025-03-07T10:00Z", user_id=NAME)])

    assert UsageLog.objects.get(timestamp__date="2025-03-07").user_id == NAME
    assert "2025-03                1" in run()


@pytest.mark.parametrize("name", ["", " ", "a" * 257])
def test_what_is_no_name_is_refused(acme, name):
    with pytest.raises(CommandError, match="NAME: expected a name of at most 256 bytes"):
        run(name=name)
