"""An installation whose breakdowns are rows, a kept month among them, becomes one whose breakdowns are packed."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from aggregates.domain import contents, days
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import MEASURES, Sums
from aggregates.domain.periods import UNITS
from aggregates.models import BreakdownChunk, DailyBreakdown, Organization, PeriodBreakdown, UsagePeriod
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, UsageQuery
from aggregates.rollup import period_sums
from tests.lot import share

PACKED = ("aggregates", "0017_breakdown_chunks")
OLD_DIMENSIONS = ("operation", "provider", "model", "user", "subject", "project")
COLUMNS = [BY_NAME[name].column for name in OLD_DIMENSIONS]
SUMS = [measure.column for measure in MEASURES]
OLD_SUMS = [column for column in SUMS if column not in ("total_charges", "total_charge_cost")]
KEPT_GRAINS = contents.VERSIONS[0].grains
OLD_GRAINS = ("operation", "provider", "model", "project", *KEPT_GRAINS)
FIRST, LAST = date(2025, 1, 20), date(2025, 3, 9)
KEPT_BEFORE = date(2025, 3, 1)
BUSY = date(2025, 2, 10)  # with more groups than a chunk holds


def calls(organization: int, day: date) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """What was called on a day: the values of all dimensions, and the sums."""
    for number in range(900 if day == BUSY else 1 + day.day % 4):
        dimensions = ("chat", "", f"m-{number % 3}", ("alice", "bob")[number % 2], f"s-{number}", "")
        cost = Decimal(organization) + Decimal(number) / 10**12
        yield (
            dimensions,
            (1, number % 2, 0, cost, 10**9 + number, 0, 0, day.day, 0, Decimal(number) / 10**8, 0, Decimal(0)),
        )


def added_up(organization: int, first: date, last: date, grain: str) -> dict[tuple[str, ...], tuple[Any, ...]]:
    columns = {BY_NAME[name].column for name in grain.split("+")}
    groups: dict[tuple[str, ...], tuple[Any, ...]] = defaultdict(lambda: (0,) * len(SUMS))
    for day in days.dates(max(first, FIRST), min(last, LAST)):
        for values, sums in calls(organization, day):
            key = tuple(value if column in columns else "" for column, value in zip(COLUMNS, values, strict=True))
            groups[key] = tuple(before + added for before, added in zip(groups[key], sums, strict=True))
    return groups


def rows(groups: dict[tuple[str, ...], tuple[Any, ...]], grain: str) -> list[dict[str, Any]]:
    return [
        {"grain": grain, **dict(zip(COLUMNS, key, strict=True)), **dict(zip(OLD_SUMS, sums, strict=False))}
        for key, sums in groups.items()
    ]


@pytest.fixture
def scratch(transactional_db: None) -> Iterator[None]:
    """A database of its own, without tables."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE to_be_packed")
    connection.close()
    connection.settings_dict["NAME"] = "to_be_packed"
    yield
    connection.close()
    connection.settings_dict["NAME"] = name
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE to_be_packed")


def fill_as_before(apps: Any) -> None:
    """Two organizations with aggregates of all old grains, and no log."""
    day_model, period_model, usage_day, usage_period, daily, organization_model = (
        apps.get_model("aggregates", name)
        for name in (
            "DailyBreakdown",
            "PeriodBreakdown",
            "UsageDay",
            "UsagePeriod",
            "DailyAggregate",
            "Organization",
        )
    )
    for number in (1, 2):
        whose = organization_model.objects.create(
            id=number, slug=f"kept-{number}", name="Kept", time_zone="UTC", log_from=KEPT_BEFORE
        )
        for day in days.dates(FIRST, LAST):
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            end = start + timedelta(days=1)
            times = {"starts_at": start, "ends_at": end, "sealed_through": end, "rolled_through": end, "rolled_at": end}
            usage_day.objects.create(organization=whose, date=day, **times)
            totals = [sums for _, sums in calls(number, day)]
            daily.objects.create(
                organization=whose, date=day, **dict(zip(OLD_SUMS, map(sum, zip(*totals, strict=True)), strict=False))
            )
            for grain in OLD_GRAINS:
                packed = rows(added_up(number, day, day, grain), grain)
                day_model.objects.bulk_create(day_model(organization=whose, date=day, **row) for row in packed)
        for unit in UNITS:
            for first in sorted({unit.first_of(day) for day in days.dates(FIRST, KEPT_BEFORE - days.DAY)}):
                usage_period.objects.create(organization=whose, unit=unit.name, first=first)
                last = unit.dates_of(first)[-1]
                for grain in OLD_GRAINS:
                    if unit.name == "month" or "subject" not in grain:
                        packed = rows(added_up(number, first, last, grain), grain)
                        period_model.objects.bulk_create(
                            period_model(organization=whose, unit=unit.name, first=first, **row) for row in packed
                        )


def test_what_was_kept_as_rows_is_packed_and_answers_as_before(scratch: None) -> None:
    executor = MigrationExecutor(connection)
    before = sorted(node for node in executor.loader.graph.node_map[PACKED].parents)
    executor.migrate([node.key for node in before])
    fill_as_before(executor.loader.project_state([node.key for node in before]).apps)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())

    assert set(BreakdownChunk.objects.values_list("grain", flat=True)) == set(KEPT_GRAINS)
    sizes = [len(chunk.total_calls) for chunk in BreakdownChunk.objects.filter(first=BUSY, grain="subject")]
    assert sorted(sizes) == sorted([150, 250, 250, 250] * 2)  # of two organizations
    for whose in Organization.objects.order_by("pk"):
        for number, grain in enumerate(KEPT_GRAINS, whose.pk):
            for day in share([*days.dates(FIRST, LAST)], number, 5):
                found = DailyBreakdown.objects.filter(organization=whose, date=day, grain=grain)
                assert as_groups(found) == added_up(whose.pk, day, day, grain)
            for unit in UNITS:
                firsts = {unit.first_of(day) for day in days.dates(FIRST, KEPT_BEFORE - days.DAY)}
                for first in share(sorted(firsts), number, 2):
                    found = PeriodBreakdown.objects.filter(organization=whose, unit=unit.name, first=first, grain=grain)
                    expected = added_up(whose.pk, first, unit.dates_of(first)[-1], grain)
                    is_summed = any(grain in one.names for one in unit.grains)
                    assert as_groups(found) == (expected if is_summed else {})
        for by, filtered in share([*combinations(OLD_DIMENSIONS, 2)], whose.pk, 2):
            assert_answers(whose, by, filtered)
        for name in ("tier", "key"):
            with pytest.raises(QueryError, match=f"do not hold {name}"):
                assert_answers(whose, name, "model")
        # Periods that are summed again have what is kept under the names that it had.
        UsagePeriod.objects.filter(organization=whose).delete()
        for period in period_sums.missing([whose.pk]):
            period_sums.add_up(period, [whose.pk])
        for by, filtered in combinations(OLD_DIMENSIONS, 2):
            assert_answers(whose, by, filtered)


def as_groups(found: Any) -> dict[tuple[str, ...], tuple[Any, ...]]:
    listed = found.values_list(*COLUMNS, *SUMS)
    groups = {row[: len(COLUMNS)]: row[len(COLUMNS) :] for row in listed}
    assert len(groups) == len(listed)
    return groups


def assert_answers(organization: Organization, by: str, filtered: str) -> None:
    """A breakdown of the kept days within one value of another dimension is what was recorded."""
    grain = "+".join(OLD_DIMENSIONS)
    last = KEPT_BEFORE - days.DAY
    groups = added_up(organization.pk, FIRST, last, grain)
    place, other = (OLD_DIMENSIONS.index(name) if name in OLD_DIMENSIONS else 0 for name in (by, filtered))
    value = next(iter(groups))[other]
    expected: dict[str, Sums] = defaultdict(Sums)
    for key, sums in groups.items():
        if key[other] == value:
            expected[key[place]] += Sums(*sums)
    query = UsageQuery.for_dates(organization, FIRST, last, bucket=Bucket.TOTAL, by=(by,), filters=((filtered, value),))
    assert {row.key: row.sums for row in read([query])[query].rows} == expected
