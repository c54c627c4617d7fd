"""What a change comes from: slices that with the rest are the change, each of them a sum over the log."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from aggregates.db.snapshot import snapshot
from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.domain.ranges import Range
from aggregates.ingest import record
from aggregates.models import Organization
from aggregates.query.differences import Ranges
from aggregates.query.selection import Selection
from aggregates.query.usage_query import Bucket
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import causes, changes
from tests.fixtures import make_member, make_organization
from tests.history import some_calls

ZONE = "America/Los_Angeles"
JULY = ranges.of_days("custom", date(2025, 7, 1), date(2025, 7, 31), ZONE)
FIELDS = {"user": "user_id", "subject": "subject_id", "operation": "operation", "model": "model", "project": "project"}
FIELDS |= {"provider": "provider"}


@pytest.fixture(scope="module")
def usage(shared: None, call: Callable[..., Call]) -> list[Call]:
    """Usage of three months, and a run on the 14th of July that is new."""
    acme = make_organization("acme", ZONE)
    make_member("bob@example.com", acme)
    run = {"user_id": "batch-runner", "operation": "backfill", "model": "opus", "provider": "anthropic"}
    calls = [
        *some_calls(call, datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 8, 2, tzinfo=UTC), 300, every=3),
        *(
            call(f"2025-07-14T{hour:02}:30Z", cost="4200.000000000007", project="reports", **run)
            for hour in range(8, 20)
        ),
    ]
    record(acme, calls)
    return calls


def cost(calls: list[Call], conditions: causes.Conditions, span: Range, selection: Selection) -> Decimal:
    """What calls within a slice, and within the filters, cost by the calls themselves."""
    users = [value for _, value in selection.filters]
    without = [value for _, value in selection.excluded]
    return sum(
        (
            each.cost or Decimal(0)
            for each in calls
            if span.span.start <= each.timestamp < span.span.end
            and all(getattr(each, FIELDS[name]) == value for name, value in conditions)
            and (not users or each.user_id in users)
            and each.user_id not in without
        ),
        Decimal(0),
    )


def selections(acme: Organization) -> Iterator[Selection]:
    beside = ranges.of_days("custom", date(2025, 5, 9), date(2025, 5, 27), ZONE)
    some = (("user", "alice"), ("user", "batch-runner"))
    for compare, filters in (("", ()), ("", some), ("before_per_day", ()), ("dates", ()), ("dates_per_day", some)):
        yield Selection(acme, JULY, compare=compare, beside=beside, filters=filters)
    yield Selection(acme, JULY, excluded=(("user", "alice"), ("user", "bob")))


def test_slices_and_the_rest_are_the_change_and_sums_over_the_log(acme: Organization, usage: list[Call]) -> None:
    """The same before and after it is rolled up."""
    found: list[list[causes.Causes | None]] = [[], []]
    for rolled, of_state in enumerate(found):
        if rolled:
            roll_up()
        for selection in selections(acme):
            loaded = changes.load(selection)
            of_state.append(loaded.causes)
            assert loaded.causes and loaded.bridge
            slices, rest, whole = loaded.causes.slices, loaded.causes.rest, loaded.causes.total
            assert 1 <= len(slices) <= 5
            assert sum(each.before for each in (*slices, rest)) == whole.before == loaded.bridge.before.cost
            assert sum(each.now for each in (*slices, rest)) == whole.now == loaded.bridge.now.cost
            for each in slices:
                if not each.days:
                    assert each.now == cost(usage, each.conditions, selection.range, selection)
                    assert each.before == cost(usage, each.conditions, selection.compared.range, selection)
    assert found[0] == found[1]


def test_the_run_is_a_slice_of_its_own_day_and_the_day_is_in_the_sentence(
    acme: Organization, usage: list[Call], client: Client
) -> None:
    loaded = changes.load(Selection(acme, JULY))

    assert loaded.causes and loaded.days
    first = loaded.causes.slices[0]
    assert first.conditions == (("user", "batch-runner"), ("operation", "backfill"), ("model", "opus"))
    assert (first.days, first.before, first.now) == ("14 Jul 2025", 0, 12 * Decimal("4200.000000000007"))
    day = ranges.of_days("custom", date(2025, 7, 14), date(2025, 7, 14), ZONE)
    assert cost(usage, first.conditions, day, loaded.selection) == first.now
    words = r"(Most|Almost all|More than all) of it on 14 Jul 2025: \$50,\d+\.\d\d, where 14 Jun 2025 cost \$[\d.]+\."
    assert re.fullmatch(words, loaded.days.words)

    client.force_login(make_member("alice@example.com", acme))
    page = html.unescape(client.get("/o/acme/changes/?range=custom&from=2025-07-01&to=2025-07-31").content.decode())
    (sentence,) = re.findall(r'<p class="sentence">.*?<a href="([^"]+)">Why then', page)
    assert "compare=dates&compare_from=2025-06-14&compare_to=2025-06-14" in sentence
    (link,) = re.findall(r'<a class="slice" href="([^"]+)"', page)[:1]
    dashboard = html.unescape(client.get(link).content.decode())
    assert 'title="$50,400.000000000084"' in dashboard
    calls = re.findall(r'<a class="slice-calls" href="([^"]+)"', page)[0]
    assert "<b>12</b> calls" in client.get(calls).content.decode()


def test_nothing_is_said_where_too_much_would_have_to_be_read(
    acme: Organization, usage: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    july = Selection(acme, JULY)
    with snapshot():
        both = Ranges(july.in_all(), july.compared.in_all())
        what, who = (both.rows_to_read(names, Bucket.TOTAL, 10**6) for names in (causes.WHAT, ("user", *causes.WHAT)))
    assert what and who == what  # of the log
    monkeypatch.setattr(causes, "MOST_ROWS", what - 1)
    assert changes.load(july).causes is None
    monkeypatch.setattr(causes, "MOST_ROWS", what)
    assert changes.load(july).causes


def test_what_is_under_way_is_compared_up_to_the_moment(
    acme: Organization, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dollar an hour has no causes, and no day."""
    now = datetime(2025, 7, 16, 9, 20, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    hour = now.replace(minute=0)
    record(acme, [call((hour - timedelta(hours=back)).isoformat(), cost="1") for back in range(24 * 40)])

    loaded = changes.load(Selection(acme, ranges.preset("7d", now, "UTC")))

    assert loaded.bridge and loaded.bridge.difference == 0
    assert (loaded.causes, loaded.days) == (None, None)
