"""Usage of exactly a dollar an hour does not seem to change, whatever is looked at, where and when."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.domain import days, ranges
from aggregates.domain.calls import Call
from aggregates.domain.days import INSTANT
from aggregates.domain.ranges import ROLLING, TO_DATE
from aggregates.ingest import record
from aggregates.models import Kind, Organization, User
from aggregates.query.earlier import earlier_of
from aggregates.query.selection import Selection
from aggregates.rollup.protocol import roll_up
from aggregates.web.pages import changes, dashboard
from tests.fixtures import make_organization
from tests.lot import share

HOUR = timedelta(hours=1)
ALL = timedelta(days=290)  # less than a year
# Zones, each with a moment that its usage goes up to: at one past an hour, where clocks were changed, at midnight.
MOMENTS = [
    ("UTC", datetime(2025, 7, 16, 9, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 11, 3, 7, 40, tzinfo=UTC)),
    ("America/Los_Angeles", datetime(2025, 3, 9, 20, 1, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(2025, 7, 15, 10, 0, tzinfo=UTC)),
    ("Pacific/Pago_Pago", datetime(2025, 7, 16, 10, 59, 59, tzinfo=UTC)),
]


def flat(call: Callable[..., Call], now: datetime, number: timedelta) -> list[Call]:
    """A dollar on every hour, up to now."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return [call((hour - HOUR * back).isoformat(), cost="1") for back in range(number // HOUR)]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The moment at which all pages are asked for, so that no hour begins between them."""
    now = datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


@pytest.mark.parametrize(("zone", "now"), MOMENTS)
def test_flat_usage_never_seems_to_change(db: None, call: Callable[..., Call], zone: str, now: datetime) -> None:
    acme = make_organization("acme", zone)
    record(acme, flat(call, now, ALL))
    place = [zone for zone, _ in MOMENTS].index(zone)
    for rolled in share([False, True], place + 1, 2):
        if rolled:  # a whole month and a part of one, and not those between them
            roll_up(dates=[day for day in days.dates((now - ALL).date(), now.date()) if day.month % 6 == 1])
        for name in share([*ROLLING, *TO_DATE], place // 2, 2):
            for compare in ("before", "before_per_day"):
                selection = Selection(acme, ranges.preset(name, now, zone), compare=compare)
                loaded = dashboard.load(selection)
                if loaded.earlier.begins:  # of a year
                    assert name in ("12m", "year", "fiscal_year")
                    assert all(not tile.change.text for tile in loaded.tiles)
                    continue
                for tile in loaded.tiles[:3]:
                    assert (tile.change.direction, tile.change.text) in (("same", "0.0%"), ("none", "–")), name
                assert loaded.tiles[0].change.text == "0.0%"
            if not loaded.earlier.begins:
                changed = changes.load(selection)
                assert (changed.bridge.difference, changed.sentence[:16]) == (0, "Cost a day staye")


def test_a_month_that_is_longer_than_the_one_before_is_compared_by_the_day(
    acme: Organization, call: Callable[..., Call]
) -> None:
    now = datetime(2025, 4, 1, 12, tzinfo=UTC)
    record(acme, flat(call, now, timedelta(days=120)))
    march = ranges.preset("last_month", now, "UTC")
    whole, by_day = (
        dashboard.load(Selection(acme, march, compare=compare)) for compare in ("before", "before_per_day")
    )

    assert (whole.tiles[0].change.text, whole.tiles[0].before) == ("10.7%", "$672.00")
    assert (by_day.tiles[0].change.text, by_day.tiles[0].before) == ("0.0%", "$24.00 a day, now $24.00")
    assert by_day.tiles[0].value == whole.tiles[0].value == "$744.00"
    assert whole.earlier.words == "compared with 1 – 28 Feb 2025, 28 days against 31"


def test_a_range_that_has_an_hour_more_than_all_before_is_nearly_as_long(
    acme: Organization, call: Callable[..., Call]
) -> None:
    """Clocks went back: late in the last day, more time is over than the days before have in all."""
    acme.time_zone = "America/Los_Angeles"
    acme.save()
    now = datetime(2026, 11, 30, 7, 12, tzinfo=UTC)
    record(acme, [call("2026-06-01T12:00Z", cost="1")])
    words = [
        earlier_of(Selection(acme, ranges.preset("30d", now - earlier, acme.time_zone))).words
        for earlier in (timedelta(), timedelta(hours=1))
    ]

    assert words == [
        "compared with 1 – 30 Oct 2026, nearly as long",
        "compared with 1 – 30 Oct 2026, until 23:12, as many hours: clocks were changed",
    ]


def test_every_page_says_so(
    acme: Organization, alice: User, client: Client, call: Callable[..., Call], now: datetime
) -> None:
    """Now: the tiles, the line of the earlier range, the page of changes, the workbook's words and the API."""
    record(acme, flat(call, now, timedelta(days=130)))
    client.force_login(alice)
    secret = keys.create(acme, "report", None, Kind.READ)[1].text
    for name in ("24h", "7d", "30d", "today", "week"):
        page = html.unescape(client.get(f"/o/acme/?range={name}&compare=before").content.decode())
        assert re.search(r'class="view-dates">[^<]*, compared with [^<]*\d, until \d\d:\d\d, days in UTC', page) or (
            name == "24h"
        )
        changed = re.findall(r'<p class="tile-change.*?<b>(.*?)</b>', page, re.S)
        assert changed == ["0.0%", "0.0%"], name
        assert "Cost stayed at $" in client.get(f"/o/acme/changes/?range={name}").content.decode()
        answer = client.get(
            f"/api/v1/usage?range={name}&compare=before&by=none", headers={"Authorization": f"Bearer {secret}"}
        ).json()
        then, since = answer["comparison"]["before"], answer["comparison"]["now"]
        assert Decimal(then["totals"]["cost"]) == Decimal(since["totals"]["cost"]) == Decimal(answer["totals"]["cost"])
        assert (since["from"], since["to"]) == (answer["from"], answer["to"])
        length, elapsed = (
            end - datetime.fromisoformat(each["start"])
            for end, each in ((datetime.fromisoformat(then["end"]), then), (now, since))
        )
        assert length == elapsed + INSTANT
        assert answer["comparison"]["usage_begins"] is None


def test_where_usage_begins_within_the_earlier_range_there_is_no_percentage(
    acme: Organization, alice: User, client: Client, call: Callable[..., Call], now: datetime
) -> None:
    """A month of usage beside the year before is no growth."""
    record(acme, flat(call, now, timedelta(days=40)))
    client.force_login(alice)
    begins = (now.replace(minute=0, second=0, microsecond=0) - HOUR * (40 * 24 - 1)).date()
    page = html.unescape(client.get("/o/acme/?range=30d").content.decode())

    assert "%" not in "".join(re.findall(r'<p class="tile-change.*?</p>', page, re.S))
    said = page.count(f"usage begins on {begins.day} {begins:%b} {begins.year}")
    assert said == page.count('class="tile ') + 1, "each tile, and the line of dates"
    week = client.get("/o/acme/?range=7d").content.decode()
    assert "%" in "".join(re.findall(r'<p class="tile-change.*?</p>', week, re.S))
    sentence = re.findall(
        r'<p class="sentence">(.*?)</p>', client.get("/o/acme/changes/?range=30d").content.decode(), re.S
    )[0]
    assert sentence.startswith("Cost rose by $")
    assert "%" not in sentence
    for place in ("changes/", "groups/"):  # which have the amounts of both
        beside = html.unescape(client.get(f"/o/acme/{place}?range=30d").content.decode())
        (words,) = re.findall('class="view-dates">(.*?)</p>', beside, re.S)
        assert f", where usage only begins on {begins.day} {begins:%b} {begins.year}, days in UTC" in words
        assert "not compared" not in words


def test_where_hours_of_then_are_not_kept_whole_days_are_compared(
    acme: Organization, alice: User, client: Client, call: Callable[..., Call], now: datetime
) -> None:
    """The sums of days are all there is of then: today is left out on both sides, and the page says so."""
    record(acme, flat(call, now, timedelta(days=70)))
    roll_up()
    today = now.date()
    Organization.objects.filter(pk=acme.pk).update(log_from=today - timedelta(days=20))
    client.force_login(alice)
    page = html.unescape(client.get("/o/acme/?range=30d").content.decode())

    assert re.findall(r'<p class="tile-change.*?<b>(.*?)</b>', page, re.S)[0] == "0.0%"
    assert "from $696.00" in page  # 29 days
    assert "hours of then are no longer kept" in page
    changed = client.get("/o/acme/changes/?range=30d").content.decode()
    assert "Cost stayed at $696.00." in changed
    assert "hours of then are no longer kept" in changed
    groups = " ".join(client.get("/o/acme/groups/?range=30d&by=user").content.decode().split())
    (line,) = re.findall(r"<tbody>(.*?)</tbody>", groups)
    cost, before, change = re.findall(r'class="number of-(?:cost|before|change)" title="([^"]*)"', line)
    (whole,) = re.findall(r'<p class="tile-value" title="(\$[^"]*)"', page)
    assert cost == whole, "today counts, though it is not compared"
    assert (Decimal(before[1:]), Decimal(change[1:])) == (696, 0)
