"""The list of calls reads a page by an index, however many there are."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from aggregates.admin import readonly
from aggregates.domain.dimensions import GRAINS
from aggregates.ingest import record
from aggregates.models import DailyBreakdown, UsageLog
from aggregates.rollup.protocol import roll_up
from tests.fixtures import make_organization

CALLS = "/admin/aggregates/usagelog/"
BREAKDOWNS = "/admin/aggregates/dailybreakdown/"
BY_KEY, BY_FIRST = "aggregates_breakdownchunk_pkey", "breakdown_chunk_by_first"


@pytest.fixture(scope="module")
def two_months(shared, call):
    """2,000 calls over two months."""
    began = datetime(2025, 3, 1, tzinfo=UTC)
    for slug in ("acme", "other"):
        organization = make_organization(slug)
        times = ((began + timedelta(minutes=84 * number)).isoformat() for number in range(1000))
        record(
            organization,
            (
                call(time, request_id=f"request {number}", user_id=f"u{number}", status="ok" if number % 9 else "error")
                for number, time in enumerate(times)
            ),
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE aggregates_usagelog, aggregates_organization")


@pytest.fixture(scope="module")
def rolled(two_months):
    roll_up()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE aggregates_dailybreakdown")


@pytest.fixture
def many(two_months, acme, staff, client):
    """The client is staff."""
    client.force_login(staff)
    return acme


@pytest.fixture
def many_rolled(rolled, many):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE aggregates_breakdownchunk")
    return many


def queries_of(client, url: str, table: str) -> list[str]:
    """What the page asked of the table."""
    with CaptureQueriesContext(connection) as captured:
        page = client.get(url)
    assert page.status_code == 200, page
    return [query["sql"] for query in captured if f'FROM "{table}"' in query["sql"]]


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", r"_id_idx"),
        ("?p=7", r"_id_idx"),
        ("?organization__id__exact={acme}", r"_organization_id_timestamp_idx"),
        ("?organization__id__exact={acme}&status__exact=error", r"_organization_id_timestamp_idx"),
        (
            "?organization__id__exact={acme}"
            "&timestamp__gte=2025-03-03 00:00%2B00:00&timestamp__lt=2025-03-04 00:00%2B00:00",
            r"_organization_id_timestamp_idx",
        ),
        ("?q=request+77", r"_once"),
        ("?q=request+77&organization__id__exact={acme}", r"_once"),
        ("?q=unheard+of", r"_once"),
    ],
)
def test_a_page_of_calls_is_one_read_by_an_index(many, client, query, index):
    (sql,) = queries_of(client, CALLS + query.format(acme=many.pk), "aggregates_usagelog")

    assert "COUNT(" not in sql.upper()
    assert "DISTINCT" not in sql.upper()
    assert re.search(r"LIMIT 101\b", sql)
    with connection.cursor() as cursor:  # so few rows may be as cheap to sort; the few of one id are sorted
        cursor.execute(f"SET LOCAL enable_sort = {'on' if index == '_once' else 'off'}")
    plan = plan_of(sql)
    assert re.search(rf"Index.* Scan .*aggregates_usagelog_2025_03{index} ", plan), plan
    assert "Seq Scan on aggregates_usagelog_2025_03" not in plan, plan  # other months are there, and empty


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", BY_FIRST),
        ("?grain=user", BY_FIRST),
        ("?organization__id__exact={acme}&grain=user", BY_KEY),
        ("?organization__id__exact={acme}&grain=user&date__gte=2025-03-03&date__lt=2025-03-04", f"{BY_KEY}|{BY_FIRST}"),
    ],
)
def test_a_page_of_breakdowns_is_one_read_by_an_index(many_rolled, client, query, index):
    (sql,) = queries_of(client, BREAKDOWNS + query.format(acme=many_rolled.pk), "aggregates_dailybreakdown")

    assert "COUNT(" not in sql.upper()
    assert re.search(r"LIMIT 101\b", sql)
    with connection.cursor() as cursor:
        # So few rows may be as cheap to sort; the question is whether an index gives their order when there are many.
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = plan_of(sql)
    assert re.search(rf"Index Scan (Backward )?using ({index}) ", plan), plan
    assert not re.search(r"(?<!Incremental )Sort  \(", plan), plan  # at most within a day


def listed(page) -> list[str]:
    return [call.request_id for call in page.context["cl"].result_list]


def test_pages_follow_each_other_newest_first(many, client):
    url = f"{CALLS}?organization__id__exact={many.pk}"
    expected = list(
        UsageLog.objects.filter(organization=many).order_by("-timestamp").values_list("request_id", flat=True)
    )

    first, last = client.get(url), client.get(f"{url}&p=10")

    assert listed(first) == expected[:100]
    assert "100 on this page, and there are more" in first.content.decode()
    assert "p=2&" in first.content.decode() or 'p=2"' in first.content.decode()
    assert listed(last) == expected[900:]
    assert "100 on this page\n" in last.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "21", "100000"])
def test_a_page_that_is_not_there_leads_back(many, client, page):
    assert client.get(f"{CALLS}?p={page}").url == f"{CALLS}?e=1"


def test_there_is_an_end_to_paging(many, client, monkeypatch):
    monkeypatch.setattr(readonly, "LAST_PAGE", 3)

    last = client.get(f"{CALLS}?p=3")

    assert len(listed(last)) == 100
    assert "p=4" not in last.content.decode()
    assert client.get(f"{CALLS}?p=4").status_code == 302


def test_not_all_are_shown_at_once_nor_counted_by_filter(many, client):
    assert len(listed(client.get(f"{CALLS}?all="))) == 100
    assert (
        len(queries_of(client, f"{CALLS}?organization__id__exact={many.pk}&_facets=True", "aggregates_usagelog")) == 1
    )


def test_a_search_names_all_organizations_for_the_index_begins_with_them(many, client):
    (sql,) = queries_of(client, f"{CALLS}?q=request+77", "aggregates_usagelog")
    assert '"organization_id" IN (' in sql


@pytest.mark.parametrize(
    ("search", "number"), [("request 77", 2), (" request 77 ", 2), ("request 7", 2), ("request", 0), ("REQUEST 77", 0)]
)
def test_a_call_is_found_by_its_whole_request_id(many, client, search, number):
    assert len(listed(client.get(CALLS, {"q": search}))) == number


def test_a_breakdown_shows_one_grain_and_its_dimensions(many_rolled, client):
    page = client.get(f"{BREAKDOWNS}?organization__id__exact={many_rolled.pk}&grain=user%2Bsubject")

    assert {row.grain for row in page.context["cl"].result_list} == {"user+subject"}
    assert page.context["cl"].list_display[:4] == ("date", "organization", "user_id", "subject_id")
    assert {row.grain for row in client.get(BREAKDOWNS).context["cl"].result_list} == {GRAINS[0].name}
    assert DailyBreakdown.objects.filter(grain=GRAINS[1].name).exists()
