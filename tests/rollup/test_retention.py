"""Old months are dropped from the log, and no number changes."""

import re
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from aggregates.db import clock
from aggregates.db.partitions import existing_months, partition_name
from aggregates.domain.calls import InvalidCall
from aggregates.ingest import record, retention_check
from aggregates.ingest.correcting import Criteria, Delete, correct
from aggregates.models import DailyAggregate, DailyBreakdown, LatencyChunk, Organization, UsageLog
from aggregates.ops import tasks
from aggregates.query.runner import read
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery
from aggregates.rollup import day_sums, retention
from aggregates.rollup.protocol import roll_up
from aggregates.rollup.retention import Dropped
from tests.fixtures import make_member, make_organization
from tests.history import some_calls
from tests.patience import PATIENCE
from tests.words import NOT_KEPT

NOW = datetime(2025, 6, 15, tzinfo=UTC)  # with two months kept, what is before April goes
START, END = datetime(2025, 2, 2, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC)
FIRST, LAST = date(2025, 1, 20), date(2025, 6, 14)
pytestmark = pytest.mark.slow
ZONES = {"acme": "America/Los_Angeles", "other": "Asia/Kolkata", "third": "UTC"}


@pytest.fixture(scope="module")
def rolled(shared, call):
    """Months of three organizations, rolled up."""
    for slug, zone in ZONES.items():
        record(make_organization(slug, zone), some_calls(call, START.replace(tzinfo=ZoneInfo(zone)), END, 400, every=2))
    roll_up()
    with connection.cursor() as cursor:  # other tests leave theirs behind
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for month in existing_months():
            if not date(2025, 2, 1) <= month <= date(2025, 7, 1):
                cursor.execute(f"DROP TABLE {partition_name(month)}")


@pytest.fixture(scope="module")
def dropped(rolled):
    """What comes before April is dropped."""
    return drop_months(2)


@pytest.fixture
def organizations(rolled, db):
    return {organization.slug: organization for organization in Organization.objects.all()}


def drop_months(keep: int) -> Dropped:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what the test wrote is still of this transaction
    return retention.drop_months(keep, NOW)


def questions(organization: Organization, source: Source, **rest):
    ways = (
        {"with_latency": True},
        {"by": ("model",), "with_latency": True},
        {"bucket": Bucket.TOTAL, "by": ("user",), "top": 5},
        {"by": ("subject",), "filters": (("user", "alice"),)},
    )
    return [UsageQuery.for_dates(organization, FIRST, LAST, source=source, **way, **rest) for way in ways]


def rows(organization: Organization, source: Source = Source.AUTO):
    organization.refresh_from_db()
    return [answer.rows for answer in read(questions(organization, source)).values()]


def aggregates():
    tables = (DailyAggregate, DailyBreakdown, LatencyChunk)
    return [list(model.objects.order_by("pk").values_list()) for model in tables]


def test_what_is_dropped_changes_no_number(organizations):
    before = {slug: rows(organization, Source.LOG) for slug, organization in organizations.items()}
    kept = aggregates()

    dropped = drop_months(2)

    assert dropped.months == [date(2025, 2, 1), date(2025, 3, 1)]
    assert dropped.refusal == ""
    assert UsageLog.objects.filter(timestamp__lt=datetime(2025, 4, 1, tzinfo=UTC)).count() == 0
    assert aggregates() == kept
    assert {slug: rows(organization) for slug, organization in organizations.items()} == before
    assert [organizations[slug].log_from for slug in ZONES] == [date(2025, 4, 1), date(2025, 4, 2), date(2025, 4, 1)]
    assert roll_up(force=True).days > 0
    assert {slug: rows(organization) for slug, organization in organizations.items()} == before
    assert drop_months(2).months == []


def test_a_month_stays_while_a_day_of_it_is_not_clean(organizations, call):
    record(organizations["other"], [call("2025-03-31T12:00Z", cost="1")])
    count = UsageLog.objects.count()

    assert drop_months(1).refusal == "2025-03 stays: other 2025-03-31 is not rolled up, or has late calls."

    assert min(UsageLog.objects.values_list("timestamp", flat=True)) >= datetime(2025, 3, 1, tzinfo=UTC)
    assert 0 < UsageLog.objects.count() < count
    roll_up()
    assert drop_months(1).months == [date(2025, 3, 1), date(2025, 4, 1)]


def test_a_month_stays_while_an_aggregate_differs_from_its_log(organizations):
    DailyAggregate.objects.filter(date="2025-02-10").update(total_cost=1)
    before = UsageLog.objects.count()

    assert drop_months(2).refusal == "2025-02 stays: 2025-02-10 differs from its log. Roll it up again."
    assert UsageLog.objects.count() == before


def test_calls_of_days_that_are_gone_are_refused_whole(organizations, dropped, call):
    acme = organizations["acme"]
    before = rows(acme)
    # The day of the boundary goes with its month; the partition that holds its last hours is still there.
    for late in ("2025-02-10T12:00Z", "2025-04-01T06:59:59Z"):
        with pytest.raises(InvalidCall, match="timestamp: expected 2025-04-01 or later: calls of earlier days"):
            record(acme, [call("2025-06-01T12:00Z", cost="9"), call(late, cost="9")])
        with pytest.raises(InvalidCall):
            retention_check(acme)(call(late))
    assert rows(acme) == before
    kept = call("2025-04-01T07:00Z", cost="9")
    retention_check(acme)(kept)
    assert record(acme, [kept]).new == 1
    assert rows(acme) != before


def test_an_organization_that_has_nothing_there_can_still_bring_its_history(organizations, dropped, call):
    newcomer = make_organization("newcomer")
    assert record(newcomer, [call("2025-02-10T12:00Z", cost="9")]).new == 1
    roll_up()
    before = rows(newcomer)
    assert drop_months(2).months == [date(2025, 2, 1)]
    assert rows(newcomer) == before
    assert newcomer.log_from == date(2025, 3, 1)
    assert rows(organizations["acme"])
    assert organizations["acme"].log_from == date(2025, 4, 1)


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ({"source": Source.LOG}, "the log cannot answer: leave the source to us."),
        ({"bucket": Bucket.HOUR}, "daily aggregates know no hours: ask by day."),
        (
            {"by": ("model",), "filters": (("user", "alice"), ("subject", "player-1"))},
            "no daily aggregate holds model with user with subject: ask for fewer of them, or for later days.",
        ),
    ],
)
def test_what_aggregates_cannot_answer_is_said_and_nothing_less_than_exact_shown(organizations, dropped, rest, reason):
    acme = organizations["acme"]
    query, later = (UsageQuery.for_dates(acme, day, LAST, **rest) for day in (FIRST, date(2025, 4, 1)))
    with pytest.raises(QueryError) as refused:
        read([query])
    assert str(refused.value) == f"The calls of days before 2025-04-01 {NOT_KEPT}, and {reason}"
    assert read([later])[later].totals.calls > 0


def test_short_ranges_over_what_is_gone_come_from_aggregates(organizations):
    acme = organizations["acme"]
    query = UsageQuery.for_dates(acme, date(2025, 2, 10), date(2025, 2, 12))
    before = read([query])[query].rows
    assert before
    drop_months(2)
    answer = read([query])[query]
    assert answer.rows == before
    assert answer.plan.log_days == ()


def test_part_of_a_day_that_is_gone_is_refused(organizations, dropped):
    start = datetime(2025, 3, 10, 12, tzinfo=UTC)
    with pytest.raises(QueryError, match="daily aggregates know no hours"):
        read([UsageQuery(organizations["third"], start, start + timedelta(days=3), Bucket.TOTAL)])


def test_corrections_leave_alone_what_is_gone(organizations, dropped):
    acme = organizations["acme"]
    gone = DailyAggregate.objects.filter(organization=acme, date__lt="2025-04-01")
    before = list(gone.values_list())
    correct(acme, Criteria(), Delete())
    roll_up()
    assert list(gone.values_list()) == before
    assert sum(row.sums.calls for row in rows(acme)[0]) == sum(gone.values_list("total_calls", flat=True))


def test_the_night_drops_what_the_setting_says(organizations, settings):
    assert "dropped" not in tasks.nightly()
    settings.KEEP_MONTHS = 1
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert "calls of 2025-02" in tasks.nightly()
    today = clock.now().date()
    assert all((today.year * 12 + today.month) - (m.year * 12 + m.month) <= 1 for m in existing_months())
    for organization in organizations.values():
        assert rows(organization)


def page(client, organization: Organization, **parameters: str) -> str:
    response = client.get(f"/o/{organization.slug}/", {"range": "custom", **parameters})
    assert response.status_code == 200
    return response.content.decode()


def without_units(text: str) -> tuple[str, str]:
    """Take the table of units out of a page: of days without calls in the log nothing else knows them."""
    (units,) = re.findall(r'<section class="card card-table card-units".*?</section>', text, re.S)
    return text.replace(units, ""), units


def test_pages_over_what_is_gone_show_days_and_say_what_they_cannot(organizations, client):
    acme = organizations["acme"]
    client.force_login(make_member("alice@example.com", acme))
    before = page(client, acme, **{"from": "2025-02-10", "to": "2025-04-20"})
    some = UsageLog.objects.filter(organization=acme, timestamp__date="2025-02-12").exclude(user_id="").first()
    drop_months(2)

    def numbers(text: str) -> list[str]:
        return re.findall(r'title="([^"]+)"', text)

    after, units = without_units(page(client, acme, **{"from": "2025-02-10", "to": "2025-04-20"}))
    assert numbers(after) == numbers(without_units(before)[0])
    assert f"The calls of days before 2025-04-01 {NOT_KEPT}: they are not in this table." in units
    assert "no longer kept" not in without_units(before)[1]
    week, units = without_units(page(client, acme, **{"from": "2025-02-10", "to": "2025-02-16"}))
    assert "no longer kept" not in week
    assert "no longer kept, and nothing else knows what had a price of its own." in units
    assert re.findall(r'id="chart-(\w+)"', week) == ["explore", "calls", "tokens"]
    pair = {"user": some.user_id, "subject": some.subject_id}
    narrowed = page(client, acme, **{"from": "2025-02-10", "to": "2025-02-16", **pair})
    assert f"Some breakdowns are left out. The calls of days before 2025-04-01 {NOT_KEPT}" in narrowed
    assert re.findall(r'id="table-(\w+)"', without_units(narrowed)[0]) == ["user", "subject"]
    nothing = page(client, acme, **{"from": "2025-02-10", "to": "2025-02-16", **pair, "model": "gpt-5"})
    assert "no daily aggregate holds model with user with subject" in nothing
    assert "No usage" not in nothing


@pytest.mark.django_db(transaction=True)
def test_who_reads_the_log_is_not_waited_for_long(call, monkeypatch):
    import psycopg

    acme = make_organization("acme")
    record(acme, [call("2025-02-10T12:00Z", cost="9")])
    roll_up()
    monkeypatch.setattr(retention, "PATIENCE", "50ms")
    facts = connection.get_connection_params()
    with psycopg.connect(**{name: facts[name] for name in ("dbname", "user", "host", "port")}) as reader:
        reader.execute("SELECT count(*) FROM aggregates_usagelog")
        waited = drop_months(2)
    assert waited.months == []
    assert waited.refusal.endswith(" stays for now: its calls are being read or written.")
    assert date(2025, 2, 1) in drop_months(2).months
    acme.refresh_from_db()
    assert acme.log_from == date(2025, 3, 1)


def elsewhere(work):
    """Do it in another connection, and wait for it."""

    def run():
        try:
            done.append(work())
        finally:
            connection.close()

    done = []
    thread = Thread(target=run)
    thread.start()
    thread.join(timeout=PATIENCE)
    return done[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reading", ["page", "comparison"])
def test_a_month_is_not_dropped_from_under_a_snapshot(call, monkeypatch, reading):
    acme = make_organization("acme")
    record(acme, [call("2025-02-10T12:00Z", cost="9")])
    roll_up()
    monkeypatch.setattr(retention, "PATIENCE", "50ms")
    dropped = []

    def drop(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "FROM aggregates_usageday" in sql.replace('"', "") and not dropped:
            dropped.append(None)
            dropped[0] = elsewhere(lambda: drop_months(2))
        return result

    with connection.execute_wrapper(drop):
        if reading == "page":
            (answer,) = read([UsageQuery.for_dates(acme, FIRST, LAST, source=Source.LOG)]).values()
            assert answer.totals.calls == 1
        else:
            assert day_sums.verify(date(2025, 2, 10), [acme.pk]) == []
    assert dropped[0].months == []
    assert date(2025, 2, 1) in drop_months(2).months


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_began_before_its_month_was_dropped_is_refused(call):
    acme = make_organization("acme")
    record(acme, [call("2025-02-10T12:00Z", cost="9")])
    roll_up()

    def calls():
        yield call("2025-02-10T13:00Z", cost="1")
        assert date(2025, 2, 1) in elsewhere(lambda: drop_months(2)).months

    with pytest.raises(InvalidCall, match=r"expected 2025-03-01 or later"):
        record(acme, calls())
    assert not UsageLog.objects.exists()
