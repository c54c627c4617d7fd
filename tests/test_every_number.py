"""Every way to see a number, for a table of views: pages, files and the API say what the log adds up to."""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html import unescape
from math import ceil
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.domain import formats, locales
from aggregates.domain.calls import Call
from aggregates.domain.locales import MINUS
from aggregates.domain.texts import words_of
from aggregates.domain.units import BY_NAME
from aggregates.ingest import record
from aggregates.models import Kind, Organization, Role
from aggregates.query.reports import LATENCY_COLUMNS, SUMMED, measured
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, Source, UsageQuery
from aggregates.rollup.protocol import roll_up
from aggregates.web.charts.figures import as_text
from tests.figures import figure_in
from tests.fixtures import make_member, make_organization
from tests.history import some_calls, some_charges
from tests.lot import share
from tests.small_chunks import small_chunks

Numbers = dict[str, Decimal]
Reports = dict[tuple[str, ...], dict[str, Any]]
# First and last day, in days ago; what to see of them; values to keep, and to leave out.
VIEWS: list[tuple[int, int, dict[str, str], list[str], list[str]]] = [
    (2, 0, {"by": "model", "subgroup": "project"}, [], []),
    (2, 1, {"by": "user", "bucket": "hour"}, ["operation=chat"], []),
    (29, 0, {"by": "user", "subgroup": "model", "top": "5", "compare": "before"}, [], []),
    (40, 3, {"by": "operation", "bucket": "week", "compare": "before"}, ["user=alice", "user=bob", "user="], []),
    (90, 0, {"by": "none", "measure": "calls"}, [], ["model=model-1", "model=model-2"]),
    (60, 0, {"by": "subject"}, ["user=alice", "operation=chat"], ["provider=openai"]),
    (200, 0, {"by": "model", "bucket": "month", "measure": "tokens", "compare": "before"}, ["project="], []),
    (70, 0, {"by": "tier", "bucket": "week", "compare": "before"}, ["model=model-3"], []),
    (50, 2, {"by": "key", "measure": "calls"}, ["tier=batch", "tier="], []),
    (35, 0, {"by": "subject", "subgroup": "user", "top": "20"}, ["key=usage_0a1b2c3d"], []),
    (80, 0, {"by": "user", "measure": "tokens"}, [], ["tier=flex"]),
    (
        45,
        0,
        {"by": "provider", "subgroup": "model", "measure": "errors", "chart": "cumulative", "compare": "year"},
        [],
        ["operation="],
    ),
    (20, -9, {"by": "operation", "bucket": "week", "compare": "year_per_day"}, ["user=alice", "user="], []),
]
# Calendar periods, as each organization counts them.
PERIODS: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    ("week", {"by": "model", "compare": "before"}, [], []),
    ("last_quarter", {"by": "user", "bucket": "week", "compare": "before_per_day"}, [], ["model=model-1"]),
    ("last_month", {"by": "subject", "compare": "year"}, ["tier=", "tier=batch"], []),
    ("fiscal_year", {"by": "none", "bucket": "week", "measure": "tokens", "compare": "before"}, [], []),
]
# What somebody sees who is limited to some users: the log is asked for them, and pages are not.
LIMITED_TO = ["alice", "bob", "user-3"]
LIMITED_VIEW = (60, 0, {"by": "model", "subgroup": "user", "top": "5", "compare": "before"}, ["operation=chat"], [])
MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal_year": 12}
DECIMALS = {"en-GB": ".", "de-DE": ",", "en-IN": "."}
FIELDS = {"user": "user_id", "subject": "subject_id", "tier": "service_tier"} | {
    name: name for name in ("operation", "provider", "model", "project", "key")
}
TOKENS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
CHARTED = {"cost": ["cost"], "calls": ["calls"], "tokens": ["input_tokens", "output_tokens"], "errors": ["errors"]}


class View:
    """One of VIEWS as an organization's pages, files and API show it, and as the log adds it up."""

    def __init__(
        self,
        client: Client,
        organization: Organization,
        secret: str,
        view: Any,
        now: datetime,
        language: str,
        reports: Reports,
        limits: Collection[str] = (),
    ) -> None:
        self.client, self.slug, self.secret, self.language = client, organization.slug, secret, language
        self.zone = organization.time_zone
        *dates, self.shown, self.kept, self.left_out = view
        self.moment, self.organization = now, organization
        self.today = now.astimezone(ZoneInfo(self.zone)).date()
        if len(dates) == 1:
            self.first, self.through = period_of(dates[0], self.today, organization)
            asked = {"range": dates[0]}
        else:
            self.first, self.through = (self.today - timedelta(days=ago) for ago in dates)
            asked = {"range": "custom", "from": str(self.first), "to": str(self.through)}
        self.last = min(self.through, self.today)
        self.measure = CHARTED[self.shown.get("measure", "cost")]
        by = [self.shown["by"]] if self.shown["by"] != "none" else []
        self.tables = tuple(dict.fromkeys([*by, "operation", "model", "user", "subject"]))
        self.is_cumulative = self.shown.get("chart") == "cumulative"
        values = [pair.split("=") for pair in self.kept]
        values += [(f"not_{name}", value) for name, value in (pair.split("=") for pair in self.left_out)]
        self.query = urlencode([*asked.items(), *self.shown.items(), *values])
        self.query_of_latency = urlencode([*asked.items(), *(self.shown | {"measure": "p95"}).items(), *values])
        self.kept = [*self.kept, *(f"user={name}" for name in limits)]  # of the log, whatever the address says
        self.got: dict[str, bytes] = {}
        self.reports = reports
        self.now = self.logged(self.first, self.last)
        self.before = self.logged_before()
        self.units: dict[str, list[Decimal]] = {}
        self.recorded: list[Call] = []
        self.timed: list[Call] = []

    def logged(self, first: date, last: date) -> Numbers:
        totals = self.report(first, last, "--bucket", "total")["totals"]
        return {name: Decimal(value) for name, value in totals.items()}

    def report(self, first: date, last: date, *options: str) -> dict[str, Any]:
        """What the log says; it is asked once, as nothing is written to it."""
        asked = ["--organization", self.slug, "--from", str(first), "--to", str(last), *options]
        asked += ["--filter", *self.kept] if self.kept else []
        asked += ["--exclude", *self.left_out] if self.left_out else []
        if tuple(asked) not in self.reports:
            out = io.StringIO()
            call_command("usage_report", *asked, "--source", "log", "--format", "json", stdout=out)
            self.reports[tuple(asked)] = json.loads(out.getvalue())
        return self.reports[tuple(asked)]

    def by_hand(self, recorded: Iterable[Call], first: date, last: date) -> Numbers:
        """What was recorded, added up without any of the site's code."""

        rows = self.matching(recorded, first, last)
        calls, charges = ([row for row in rows if row.kind == kind] for kind in ("call", "charge"))
        return {
            "calls": Decimal(len(calls)),
            "errors": Decimal(sum(call.status == "error" for call in calls)),
            "unpriced_calls": Decimal(sum(call.cost is None for call in calls)),
            "cost": sum((row.cost for row in rows if row.cost is not None), Decimal(0)),
            "charges": Decimal(len(charges)),
            "charge_cost": sum((charge.cost or Decimal(0) for charge in charges), Decimal(0)),
            **{name: Decimal(sum(getattr(call, name) for call in calls)) for name in TOKENS},
        }

    def units_by_hand(self, recorded: Iterable[Call]) -> dict[str, list[Decimal]]:
        """Of each unit its quantity, the calls with it, those of them without a price, and what these calls cost."""
        units: dict[str, list[Decimal]] = {}
        for call in self.matching(recorded, self.first, self.last):
            for name, quantity in call.units:
                sums = units.setdefault(name, [Decimal(0)] * 4)
                added = (quantity, Decimal(1), Decimal(call.cost is None), call.cost or Decimal(0))
                units[name] = [each + more for each, more in zip(sums, added, strict=True)]
        return units

    def latencies_by_hand(self, recorded: Iterable[Call], first: date, last: date) -> list[Call]:
        """The calls that tell how long they took and did not fail, the shortest first."""
        calls = [call for call in self.matching(recorded, first, last) if call.latency_ms is not None]
        return sorted((call for call in calls if call.status == "ok"), key=lambda call: call.latency_ms or 0)

    def matching(self, recorded: Iterable[Call], first: date, last: date) -> list[Call]:
        def matches(call: Call) -> bool:
            kept: dict[str, set[str]] = defaultdict(set)
            for pair in self.kept:
                kept[pair.split("=")[0]].add(pair.split("=")[1])
            return all(getattr(call, FIELDS[name]) in values for name, values in kept.items()) and not any(
                getattr(call, FIELDS[name]) == value for name, value in (pair.split("=") for pair in self.left_out)
            )

        zone = ZoneInfo(self.zone)
        return [call for call in recorded if first <= call.timestamp.astimezone(zone).date() <= last and matches(call)]

    def dates_before(self) -> tuple[date, date]:
        """The days that it is compared with: as many just before, or as many whole months; or a year earlier."""
        months, after = self.months(), self.through + timedelta(days=1)
        if self.shown.get("compare", "").startswith("year"):
            last = plus_months(after, -12) - timedelta(days=1) if months else year_before(self.through)
            return year_before(self.first), last
        if months:
            return plus_months(self.first, -months), self.first - timedelta(days=1)
        return self.first - (after - self.first), self.first - timedelta(days=1)

    def months(self) -> int:
        after = self.through + timedelta(days=1)
        if self.first.day != 1 or after.day != 1:
            return 0
        return (after.year - self.first.year) * 12 + after.month - self.first.month

    def span_before(self) -> tuple[datetime, datetime]:
        """The instants that it is compared with: while it is under way, as much time as has gone by."""
        zone = ZoneInfo(self.zone)
        first, last = self.dates_before()
        start, began, end = (
            datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, self.first, last + timedelta(days=1))
        )
        if self.last < self.today:
            return start, end
        return start, min(end, start + (self.moment - began) + timedelta(microseconds=1))

    def logged_before(self) -> Numbers:
        """What the log says of that."""
        query = UsageQuery(
            self.organization,
            *self.span_before(),
            Bucket.TOTAL,
            filters=tuple(pair_of(text) for text in self.kept),
            excluded=tuple(pair_of(text) for text in self.left_out),
            source=Source.LOG,
        )
        answer = read([query])[query]
        return {name: Decimal(value) for name, value in measured(answer.totals).items()}

    def before_by_hand(self, recorded: Iterable[Call]) -> Numbers:
        start, end = self.span_before()
        calls = [call for call in recorded if start <= call.timestamp < end]
        return self.by_hand(calls, date.min, date.max)

    def get(self, path: str, more: str = "", query: str = "") -> bytes:
        address = f"/o/{self.slug}/{path}?{query or self.query}{more}"
        if address in self.got:
            return self.got[address]
        response = self.client.get(address, headers={"Accept-Language": self.language})
        assert response.status_code == 200, address
        self.got[address] = response.getvalue()
        return self.got[address]

    def rows(self, path: str, query: str = "") -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.get(path, query=query).decode("utf-8-sig"))))

    def pages_of_api(self, more: str = "") -> Iterable[dict[str, Any]]:
        address, cursor = f"/api/v1/usage?{self.query}&limit=400{more}", ""
        while cursor is not None:
            page = self.client.get(
                f"{address}&cursor={cursor}" if cursor else address, headers={"Authorization": f"Bearer {self.secret}"}
            ).json()
            yield page
            cursor = page["next"]


def pair_of(text: str) -> tuple[str, str]:
    name, value = text.split("=")
    return name, value


def late_moment(zone: str) -> datetime:
    """Now; but early in the day the evening before, so that every period has some usage."""
    now = datetime.now(ZoneInfo(zone))
    return (now if now.hour >= 6 else now - timedelta(hours=now.hour + 6)).astimezone(UTC)


def year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=min(day.day, 28) if day.month == 2 else day.day)


def plus_months(first: date, number: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return date(year, month + 1, 1)


def week_of(day: date, organization: Organization) -> date:
    """Go back to the day that weeks begin with."""
    while day.isoweekday() != organization.first_weekday:
        day -= timedelta(days=1)
    return day


def period_of(name: str, today: date, organization: Organization) -> tuple[date, date]:
    """The first and the last day of a calendar period that today is in, or of the one before."""
    unit, is_last = name.removeprefix("last_"), name.startswith("last_")
    if unit == "week":
        first = week_of(today, organization) - timedelta(days=7 * is_last)
        return first, first + timedelta(days=6)
    first, months = today.replace(day=1), MONTHS[unit]
    while (first.month - (organization.first_month if unit == "fiscal_year" else 1)) % months:
        first = plus_months(first, -1)
    first = plus_months(first, -months * is_last)
    return first, plus_months(first, months) - timedelta(days=1)


def tokens_of(log: Numbers) -> Decimal:
    return log["input_tokens"] + log["output_tokens"]


def charted(log: Mapping[str, Any], names: Iterable[str]) -> Decimal:
    return sum((Decimal(log[name]) for name in names), Decimal(0))


def summed(rows: Iterable[dict[str, Any]], names: Iterable[str]) -> Numbers:
    rows = list(rows)
    return {name: sum((Decimal(row[name] or 0) for row in rows), Decimal(0)) for name in names}


def number(text: str, view: View) -> Decimal:
    """As the reader writes it; “no price” adds nothing."""
    decimal = DECIMALS[view.language]
    return Decimal(re.sub(f"[^0-9{decimal}-]", "", text.replace(MINUS, "-")).replace(decimal, ".") or 0)


def as_spreadsheets_hold_it(amount: Decimal | float) -> str:
    """To 15 digits, of the 16 that a file has."""
    return f"{float(f'{float(amount):.16g}'):.15g}"


def check_tiles(view: View) -> None:
    log = view.now
    titles = re.findall(r'<p class="tile-value" title="([^"]*)">', view.get("").decode())
    cost, calls, tokens, cached, _ = titles
    assert [number(each, view) for each in (cost, calls, tokens)] == [log["cost"], log["calls"], tokens_of(log)]
    assert [number(part, view) for part in cached.split("of")] == [log["cached_tokens"], log["input_tokens"]]


def check_charts(view: View) -> None:
    page = view.get("").decode()
    measures = {"explore": view.measure, "calls": CHARTED["calls"], "tokens": CHARTED["tokens"]}
    for name, measure in measures.items():
        traces = figure_in(page, name)["data"]
        is_cumulative = name == "explore" and view.is_cumulative
        traces = [trace for trace in traces if trace["meta"]["role"] != "note"]
        drawn = [trace["y"] for trace in traces if trace["meta"]["role"] != "ghost"]
        counted = [value for values in drawn for value in (values[-1:] if is_cumulative else values)]
        assert sum(counted) == charted(view.now, measure), name
        if name == "explore" and "compare" in view.shown:
            ghost = [value for value in traces[-1]["y"] if value is not None]
            assert (ghost[-1] if is_cumulative else sum(ghost)) == charted(view.before, measure)


def check_tables(view: View) -> None:
    log = view.now
    tables = re.findall(r'<section class="card card-table".*?</section>', view.get("").decode(), re.S)
    assert len(tables) == len(view.tables)
    for table in tables:
        check_table(opened(table, view), view, [log["cost"], log["calls"], tokens_of(log)])
    assert any("data-subgroups" in table for table in tables) == ("subgroup" in view.shown)


def opened(table: str, view: View) -> str:
    """The table with the subgroups that its groups open to, each read by the address that the page reads it by."""
    if "data-subgroups" not in table:
        return table
    rows = table.split("</tr>")
    links = [re.findall(r'<a href="\?([^"]*)" title=', row) if "data-parts" in row else [] for row in rows]
    assert any(links)
    return "</tr>".join(
        row + "".join("</tr>" + view.get("subgroups/", query=unescape(link)).decode() for link in found)
        for row, found in zip(rows, links, strict=True)
    )


def check_table(table: str, view: View, whole: list[Decimal]) -> None:
    """Groups add up to the total, and their subgroups to them."""
    lines = [(line, re.findall(r'class="number" title="([^"]*)"', line)) for line in table.split("<tr")]
    numbers = [(' class="part' in line, [number(title, view) for title in titles]) for line, titles in lines if titles]
    *groups, total = [values for is_part, values in numbers if not is_part]
    assert total == whole
    assert added_columns(groups) == total
    parts: list[list[Decimal]] = []
    for is_part, values in reversed(numbers):
        if is_part:
            parts.append(values)
        elif parts:
            assert added_columns(parts) == values
            parts = []


def added_columns(lines: Iterable[list[Decimal]]) -> list[Decimal]:
    return [sum(column, Decimal(0)) for column in zip(*lines, strict=True)]


def check_units(view: View) -> None:
    (table,) = re.findall(r'<section class="card card-table card-units".*?</section>', view.get("").decode(), re.S)
    lines = re.findall(r'<th scope="row">([^<]*)</th>(.*?)</tr>', table, re.S)
    shown = {words: re.findall(r'title="([^"]*)"', rest) for words, rest in lines}
    assert set(shown) == {_capital(BY_NAME[name].words) for name in view.units}
    for name, (quantity, calls, unpriced, cost) in view.units.items():
        expected = [quantity, calls, Decimal(0) if unpriced == calls else cost]
        assert [number(title, view) for title in shown[_capital(BY_NAME[name].words)]] == expected, name


def check_units_of_api(view: View) -> None:
    headers = {"Authorization": f"Bearer {view.secret}"}
    answer = view.client.get(f"/api/v1/units?{view.query}", headers=headers).json()
    names = ("quantity", "calls", "unpriced_calls", "cost_of_calls")
    assert {one["unit"]: [Decimal(one[name]) for name in names] for one in answer["units"]} == view.units


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def check_other_pages(view: View) -> None:
    changes, before, now = view.get("changes/").decode(), view.before["cost"], view.now["cost"]
    titles = re.findall(r'<tr class="whole">.*?title="([^"]*)"', changes)
    assert [number(title, view) for title in titles] == [before, now]
    drivers = re.findall(r'<section class="card card-table card-drivers".*?<tfoot>', changes, re.S)
    assert len(drivers) == 2
    causes = re.findall(r'<section class="card card-wide card-table card-causes".*?<tfoot>', changes, re.S)
    for table in (*drivers, *causes):
        lines = [re.findall(r'class="number" title="([^"]*)"', line) for line in table.split("<tr")]
        columns = zip(*([number(title, view) for title in titles] for titles in lines if titles), strict=True)
        assert [sum(column) for column in columns] == [before, now, now - before]
    (totals,) = re.findall(r'<p class="call-totals">(.*?)</p>', view.get("calls/").decode())
    (count,) = re.findall(r"<b>([0-9.,]+)</b> call", totals)
    cost, tokens = re.findall(r'title="([^"]*)"', totals)
    found = [number(each, view) for each in (count, cost, tokens)]
    assert found == [view.now["calls"], view.now["cost"], tokens_of(view.now)]


def check_groups(view: View) -> None:
    now, before = view.now, view.before
    of_log = [now["cost"], before["cost"], now["cost"] - before["cost"], now["calls"], tokens_of(now), now["errors"]]
    added, number_of_page, pages = [Decimal(0)] * 6, 0, 1
    while number_of_page < pages:
        number_of_page += 1
        page = view.get("groups/", f"&page={number_of_page}").decode()
        lines = [re.findall(r'class="number of-[a-z]+" title="([^"]*)"', line) for line in page.split("<tr")]
        *groups, total = [[number(title, view) for title in titles] for titles in lines if titles]
        assert total == of_log
        added = [sum(column) for column in zip(added, *groups, strict=True)]
        (count,) = re.findall(r'id="groups-count">([0-9]+) ', page)
        pages = -(-int(count) // 50)
    assert added == of_log


def check_sums(view: View) -> None:
    assert summed(view.rows("usage.csv"), SUMMED) == {name: view.now[name] for name in SUMMED}


def check_calls(view: View) -> None:
    log, calls = view.now, view.rows("calls.csv")
    charges = [row for row in calls if row["kind"] == "charge"]
    assert (len(charges), summed(charges, ["cost"])["cost"]) == (log["charges"], log["charge_cost"])
    names = ("cost", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert summed(calls, names) == {name: log[name] for name in names}
    counts = (
        len(calls) - len(charges),
        sum(row["status"] == "error" for row in calls),
        sum(row["cost"] == "" for row in calls),
    )
    assert counts == (log["calls"], log["errors"], log["unpriced_calls"])


def check_focus(view: View) -> None:
    log = view.now
    columns = {name: f"x_{name.title().replace('_', '')}" for name in SUMMED if name != "cost"}
    costs = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
    quantities = ("ConsumedQuantity", "PricingQuantity")
    sums = summed(view.rows("focus.csv"), (*costs, *columns.values()))
    assert {sums[name] for name in costs} == {log["cost"]}
    usage = [row for row in view.rows("focus.csv") if row["ChargeCategory"] == "Usage"]
    for name, total in summed(usage, quantities).items():
        assert total == tokens_of(log), name
    others = [row for row in view.rows("focus.csv") if row["ChargeCategory"] in ("Credit", "Purchase")]
    assert len(usage) + len(others) == len(view.rows("focus.csv"))
    assert summed(others, ["BilledCost"])["BilledCost"] == log["charge_cost"]
    assert {name: sums[column] for name, column in columns.items()} == {name: log[name] for name in columns}


def check_workbook(view: View) -> None:
    book = openpyxl.load_workbook(io.BytesIO(view.get("usage.xlsx")))
    totals = {line[0]: line[1:] for line in book["Totals"].iter_rows(values_only=True)}
    for name in view.now:
        now, exactly_now, before, exactly_before = totals[name.replace("_", " ").capitalize()]
        for held, exactly, log in ((now, exactly_now, view.now), (before, exactly_before, view.before)):
            assert isinstance(exactly, str)
            assert Decimal(exactly) == log[name]
            assert as_spreadsheets_hold_it(held) == as_spreadsheets_hold_it(log[name])
    wholes = [as_spreadsheets_hold_it(each) for each in (view.now["cost"], view.now["calls"], tokens_of(view.now))]
    for name in view.tables:
        width = len(dimensions_of(view)) if name == view.shown["by"] else 1
        by = _by(view) if width > 1 else ["--by", name]
        *lines, whole = book[f"Top {name}s"].iter_rows(values_only=True, min_row=2)
        groups, total = [line[width : width + 3] for line in lines], whole[width : width + 3]
        assert [as_spreadsheets_hold_it(each) for each in total] == wholes
        listed = {line[:width] for line in lines}
        parts: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for row in view.report(view.first, view.last, "--bucket", "total", *by)["rows"]:
            parts[place_among(listed, keys_in(row))] += charted(row, view.measure)
        shares = {line[:width]: rounded(line[width + 3]) for line in lines}
        assert shares == {key: rounded(100 * parts[key] / charted(view.now, view.measure)) for key in shares}
        assert rounded(whole[width + 3]) == 100
        for column, whole in zip(zip(*groups, strict=True), total, strict=True):
            assert added_up(column) == rounded(whole)
    (bucket, *titles), *steps, whole = book.worksheets[1].iter_rows(values_only=True)
    assert added_up(whole[1:]) == rounded(charted(view.now, view.measure))
    by, width = _by(view), len(dimensions_of(view))
    report = view.report(view.first, view.last, "--bucket", bucket.lower(), *by)["rows"]
    names = [("Other",) * width if title == "Other" else tuple(title.split(" › ")) for title in titles]
    drawn = {
        (str(start)[:19], name): rounded(amount(height))
        for start, *heights in steps
        for name, height in zip(names, heights, strict=True)
    }
    logged: dict[tuple[str, tuple[str, ...]], Decimal] = defaultdict(Decimal)
    for row in report:
        group = place_among(set(names), keys_in(row)) if by else names[0]
        logged[cell_of(row["start"], bucket), group] += charted(row, view.measure)
    assert {place: height for place, height in drawn.items() if height} == {
        place: rounded(height) for place, height in logged.items() if rounded(height)
    }
    header, *rows = book["Rows"].iter_rows(values_only=True)
    columns = [header.index(name.replace("_", " ").capitalize()) for name in SUMMED]
    held = {(str(row[0])[:19], row[1 : 1 + width]): [rounded(row[at]) for at in columns] for row in rows}
    assert len(held) == len(rows)
    listed = {group for _, group in held}
    sums: dict[tuple[str, tuple[str, ...]], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * len(SUMMED))
    for row in report:
        place = cell_of(row["start"], bucket), place_among(listed, keys_in(row)) if by else ()
        sums[place] = [each + Decimal(row[name]) for each, name in zip(sums[place], SUMMED, strict=True)]
    assert held == {place: [*map(rounded, each)] for place, each in sums.items()}


def dimensions_of(view: View) -> list[str]:
    return [view.shown[name] for name in ("by", "subgroup") if view.shown.get(name, "none") != "none"]


def keys_in(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The group of a report's row, in words, and its subgroup if it has one."""
    return tuple(words_of(row[name]) for name in ("key", "subkey") if name in row)


def place_among(listed: Collection[tuple[str, ...]], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Where a group is counted: by itself, in the rest of its group, or in Other."""
    rest = (*keys[:-1], "Other")
    return keys if keys in listed else rest if rest in listed else ("Other",) * len(keys)


def cell_of(start: str, bucket: str) -> str:
    """How a time reads in a sheet: hours as text with their offset, days as dates."""
    return start[:19] if bucket == "Hour" else f"{start[:10]} 00:00:00"


def amount(cell: Any) -> Decimal:
    return Decimal(0) if cell in (None, "no price") else Decimal(str(cell))


def rounded(amount: Any) -> Decimal:
    return round(Decimal(str(amount)), 9)


def added_up(held: Iterable[Any]) -> Decimal:
    return rounded(sum((amount(value) for value in held), Decimal(0)))


def check_html(view: View) -> None:
    """The same tiles and tables as on the page, and charts that add up; only that numbers are written in English."""
    file = view.get("usage.html").decode()
    body = file[file.index("<body>") :]
    log, english = view.now, read_in(view, "en-GB")
    cost, calls, tokens, cached, _ = re.findall(r'<p class="tile-value[^"]*" title="([^"]*)">', body)
    assert [number(each, english) for each in (cost, calls, tokens)] == [log["cost"], log["calls"], tokens_of(log)]
    assert [number(part, english) for part in cached.split("of")] == [log["cached_tokens"], log["input_tokens"]]
    tables = re.findall(r'<section class="card card-table".*?</section>', body, re.S)
    assert len(tables) == len(view.tables)
    for table in tables:
        check_table(table, english, [log["cost"], log["calls"], tokens_of(log)])
    page = view.get("").decode()
    for name in ("explore", "calls", "tokens"):
        (plotted,) = re.findall(rf'Plotly.newPlot\(\s*"chart-{name}",\s*(\[.*?\]),\s*{{"meta"', body, re.S)
        shown, drawn = figure_in(page, name)["data"], json.loads(plotted, parse_float=Decimal)
        assert [(each["x"], each["y"]) for each in drawn] == [(each["x"], each["y"]) for each in shown]
        for each, of_page in zip(drawn, shown, strict=True):
            whole, _, part = of_page["name"].partition(" › ")
            assert each["name"] == as_text(whole)
            assert bool(part) == ("part" in of_page["meta"])


def read_in(view: View, language: str) -> View:
    other = copy(view)
    other.language = language
    return other


def check_api(view: View) -> None:
    pages = list(view.pages_of_api())
    for page in pages:
        assert {name: Decimal(value) for name, value in page["totals"].items()} == view.now
    rows = [row for page in pages for row in page["rows"]]
    assert summed(rows, SUMMED) == {name: view.now[name] for name in SUMMED}


def check_comparison_of_api(view: View) -> None:
    if "compare" in view.shown:
        comparison = next(iter(view.pages_of_api()))["comparison"]
        for part, log in (("now", view.now), ("before", view.before)):
            assert {name: Decimal(value) for name, value in comparison[part]["totals"].items()} == log
        start, end = view.span_before()
        then = comparison["before"]
        assert (datetime.fromisoformat(then["start"]), datetime.fromisoformat(then["end"])) == (start, end)


def check_weeks(view: View) -> None:
    """By the weeks of the organization, whichever day they begin with, the first cut to the range."""
    if view.shown.get("bucket") != "week":
        return
    rows = [row for page in view.pages_of_api() for row in page["rows"]]
    weeks: dict[date, Decimal] = defaultdict(Decimal)
    for call in view.matching(view.recorded, view.first, view.last):
        day = call.timestamp.astimezone(ZoneInfo(view.zone)).date()
        weeks[max(view.first, week_of(day, view.organization))] += call.cost or Decimal(0)
    found: dict[date, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[date.fromisoformat(row["start"])] += Decimal(row["cost"])
    assert found == weeks


def percentile_by_hand(calls: list[Call], percent: int) -> int:
    return calls[ceil(len(calls) * Decimal(percent) / 100) - 1].latency_ms or 0


def check_reported_latencies(view: View, sums: Mapping[str, Any]) -> None:
    """Sums to the last digit, percentiles within a bucket that is as narrow as is said."""
    calls = view.timed
    assert [Decimal(sums[name]) for name in ("timed_calls", "timed_ms", "timed_output_tokens")] == [
        len(calls),
        sum(call.latency_ms or 0 for call in calls),
        sum(call.output_tokens for call in calls),
    ]
    for percent in (50, 95):
        lowest, highest = (int(sums[f"p{percent}_ms_{end}"]) for end in ("from", "to"))
        assert lowest <= percentile_by_hand(calls, percent) <= highest
        assert (highest - lowest) / 2 <= 0.025 * lowest


def place_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["start"], row["key"] or "", row.get("subkey", "")


def check_latencies(view: View) -> None:
    log = view.report(view.first, view.last, "--bucket", "total", "--latency")["totals"]
    check_reported_latencies(view, log)
    (title,) = re.findall(r'title="([^"]*that tell it and did not fail)"', view.get("").decode())
    shown = [number(part, view) for part in re.split(" to |, ", title.replace("p50", "").replace("p95", ""))]
    names = ("p50_ms_from", "p50_ms_to", "p95_ms_from", "p95_ms_to", "timed_calls")
    assert shown == [log[name] for name in names]

    pages = list(view.pages_of_api("&latency=yes"))
    assert {tuple(page["totals"][name] for name in LATENCY_COLUMNS) for page in pages} == {
        tuple(log[name] for name in LATENCY_COLUMNS)
    }
    by = _by(view)
    report = view.report(view.first, view.last, "--bucket", pages[0]["bucket"], "--latency", *by)["rows"]
    rows = [row for page in pages for row in page["rows"]]
    assert sorted(rows, key=place_of) == sorted(report, key=place_of)

    columns = dimensions_of(view) or ["key"]
    rows_of_file = view.rows("usage.csv", view.query_of_latency)
    written = {(row["start"], *(row[column] for column in columns)): row for row in rows_of_file}
    kinds = {row[name] for row in rows_of_file for name in ("group_kind", "subgroup_kind") if name in row}
    assert len(written) == len(report) or "other" in kinds
    found = 0
    for row in report:
        if cells := written.get((row["start"], *(keys_in(row) if by else ("",)))):
            found += 1
            for name in LATENCY_COLUMNS:
                assert cells[name] == ("" if row[name] is None else str(row[name]))
    assert found == sum("other" not in (row["group_kind"], row.get("subgroup_kind")) for row in rows_of_file)


def check_page_of_latencies(view: View) -> None:
    log = view.report(view.first, view.last, "--bucket", "total", "--latency")["totals"]
    page = view.get("", query=view.query_of_latency).decode()
    tables = re.findall(r'<section class="card card-table" .*?</section>', page, re.S)
    assert len(tables) >= 4
    with locales.read_by(view.language):
        whole = [in_some_unit(middle(log, percent)) for percent in (50, 95)]
    for table in tables:
        shown = re.findall(r">([^<>]*s)</td>", table.split("<tr")[-1])
        assert len(shown) == 2
        assert all(each in ways for each, ways in zip(shown, whole, strict=True))
    traces = figure_in(page, "explore")["data"]
    step = next(iter(view.pages_of_api()))["bucket"]
    report = view.report(view.first, view.last, "--bucket", step, "--latency", *_by(view))["rows"]
    drawn = {trace["name"]: [y for y in trace["y"] if y is not None] for trace in traces}
    groups: dict[str, list[Decimal]] = defaultdict(list)
    for row in report:
        if row["timed_calls"]:
            groups[" › ".join(keys_in(row)) if _by(view) else "p95 latency"].append(middle(row, 95))
    shown = [name for name in drawn if name in groups]
    assert shown
    for name in shown:
        assert drawn[name] == groups[name], name


def check_workbook_of_latencies(view: View) -> None:
    log = view.report(view.first, view.last, "--bucket", "total", "--latency")["totals"]
    book = openpyxl.load_workbook(io.BytesIO(view.get("usage.xlsx", query=view.query_of_latency)))
    totals = {line[0]: line[2] for line in book["Totals"].iter_rows(values_only=True)}
    for name in LATENCY_COLUMNS:
        assert totals[name.replace("_", " ").capitalize()] == str(log[name])
    for name in ("operation", "model", "user", "subject"):
        *_, whole = book[f"Top {name}s"].iter_rows(values_only=True)
        start = len(dimensions_of(view)) if name == view.shown["by"] else 1
        assert [rounded(held) for held in whole[start : start + 3]] == [log["calls"], middle(log, 50), middle(log, 95)]
    header, *rows = book["Rows"].iter_rows(values_only=True)
    assert sum(row[header.index("Timed calls")] for row in rows) == log["timed_calls"]


def in_some_unit(seconds: Decimal) -> list[str]:
    """As a column may show it, whatever else stands in that."""
    return [formats.times_alike(beside)(seconds) for beside in ([Decimal(1)], [Decimal(0)])]


def middle(sums: Mapping[str, Any], percent: int) -> Decimal:
    return Decimal(sums[f"p{percent}_ms_from"] + sums[f"p{percent}_ms_to"]) / 2000


def _by(view: View) -> list[str]:
    return [part for pair in zip(("--by", "--subgroup"), dimensions_of(view), strict=False) for part in pair]


def check_subgroups(view: View) -> None:
    """Each part of the chart is what the log says of its group and subgroup; in the box of values, so are groups."""
    if "subgroup" not in view.shown:
        return
    drawn = figure_in(view.get("").decode(), "explore")
    of_whole = [Decimal(0)] * len(drawn["layout"]["meta"]["groups"])
    traces = [trace for trace in drawn["data"] if trace["meta"]["role"] not in ("note", "ghost")]
    parts: dict[tuple[str, ...], Decimal] = {}
    for trace in traces:
        height = trace["y"][-1] if view.is_cumulative else sum(trace["y"])
        of_whole[int(trace["meta"]["group"])] += height
        name = trace["name"].partition(" › ")
        parts[name[0], name[2] or "Other"] = height
    logged: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in view.report(view.first, view.last, "--bucket", "total", *_by(view))["rows"]:
        logged[place_among(parts, keys_in(row))] += charted(row, view.measure)
    assert parts == logged
    for group, height in zip(drawn["layout"]["meta"]["groups"], of_whole, strict=True):
        assert (group["y"][-1] if view.is_cumulative else sum(group["y"])) == height


CHECKS: tuple[Callable[[View], None], ...] = (
    check_tiles,
    check_charts,
    check_tables,
    check_units,
    check_units_of_api,
    check_other_pages,
    check_groups,
    check_sums,
    check_calls,
    check_focus,
    check_workbook,
    check_html,
    check_api,
    check_comparison_of_api,
    check_weeks,
    check_subgroups,
    check_latencies,
)
OF_LATENCIES = (check_page_of_latencies, check_workbook_of_latencies)  # which come from the same answers


# Zone, language, first weekday and first month of a year.
PLACES = [("UTC", "en-GB", 1, 1), ("America/Los_Angeles", "de-DE", 7, 10), ("Asia/Kolkata", "en-IN", 6, 4)]


@pytest.fixture(autouse=True)
def short_tails() -> Iterator[None]:
    """Some subjects are a long tail, whose first ones are found by their order."""
    with small_chunks():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(PLACES)), ids=[f"{zone}-{language}" for zone, language, _, _ in PLACES])
def test_every_number_is_the_sum_over_the_log(
    client: Client, db: None, call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch, settings: Any, place: int
) -> None:
    """Each view in one of the places: of what the log alone answers, and of what is rolled up, hours among it.

    The latencies of one view are read on its page, and of the next in its workbook.
    """
    settings.LIVE_CALLS = 0
    zone, language, first_weekday, first_month = PLACES[place]
    acme = make_organization("acme", zone)
    acme.first_weekday, acme.first_month = first_weekday, first_month
    acme.save()
    client.force_login(make_member("alice@example.com", acme))
    secret = keys.create(acme, "report", None, Kind.READ)[1].text
    bob, limited = Client(), keys.create(acme, "part", None, Kind.READ, limits={"user": LIMITED_TO})[1].text
    bob.force_login(make_member("bob@example.com", acme, Role.ANALYST))
    acme.memberships.filter(role=Role.ANALYST).update(limited_to={"user": LIMITED_TO})
    now = late_moment(zone)
    monkeypatch.setattr(timezone, "now", lambda: now)
    there = now.astimezone(ZoneInfo(zone))
    recorded = [
        *some_calls(call, there - timedelta(days=425), now - timedelta(days=1), 900, every=15),
        *some_calls(call, there - timedelta(days=50), now, 900, every=3),
        *some_calls(call, now - timedelta(days=9), now, 250),  # so that the first day of a week has one before it
        *some_charges(call, there - timedelta(days=305), now, 100, every=15),
        *some_charges(call, now - timedelta(days=3), now, 20),
    ]
    record(acme, recorded)
    reports: Reports = {}
    for rolled in (False, True):
        if rolled:
            roll_up()
        shared = share([*VIEWS, *PERIODS], place + rolled, len(PLACES) * (1 if rolled else 4))
        views: list[tuple[Client, str, Any, Collection[str]]] = [(client, secret, each, ()) for each in shared]
        views += [(bob, limited, LIMITED_VIEW, LIMITED_TO)] if place % 2 == rolled else []
        for nth, (visitor, key, described, limits) in enumerate(views, place):
            view = View(visitor, acme, key, described, now, language, reports, limits)
            view.recorded = recorded
            assert view.now["calls"] > 0, described
            by_hand = view.by_hand(recorded, view.first, view.last)
            assert by_hand == {name: view.now[name] for name in by_hand}, described
            before_by_hand = view.before_by_hand(recorded)
            assert before_by_hand == {name: view.before[name] for name in before_by_hand}, described
            view.units = view.units_by_hand(recorded)
            assert view.units, described
            view.timed = view.latencies_by_hand(recorded, view.first, view.last)
            assert view.timed, described
            for check in (*CHECKS, *share(OF_LATENCIES, nth, len(OF_LATENCIES))) if rolled else CHECKS:
                try:
                    check(view)
                except Exception as error:
                    error.add_note(f"{check.__name__}, {'rolled up' if rolled else 'not rolled up'}: {described}")
                    raise
