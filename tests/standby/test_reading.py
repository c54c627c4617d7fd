"""Pages, files and the API read the standby, which is never behind; nothing else goes there."""

import io
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from aggregates.db import standby
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import ApiKey, Membership, Organization, UsageLog, User
from aggregates.query.usage_query import QueryError
from tests.processes import BASE
from tests.replica import READS_STANDBY, Outcomes, Replica
from tests.standby.conftest import TODAY, Behind, is_standby

pytestmark = [pytest.mark.slow, READS_STANDBY]

PAGES = (
    "/o/acme/",
    "/o/acme/?range=90d&by=user",
    "/o/acme/values/?add=user&value=u&range=30d",
    "/o/acme/calls/?range=30d",
    "/o/acme/changes/?range=7d",
    "/o/acme/arrivals/",
    "/o/acme/prices/comparison/?range=30d",
    "/o/acme/groups/?by=user&range=30d",
    "/o/acme/find/?q=u1",
    "/platform/",
)
FILES = (
    "/o/acme/usage.csv?range=90d&by=user",
    "/o/acme/usage.xlsx?range=30d",
    "/o/acme/focus.csv?range=30d",
    "/o/acme/calls.csv?range=30d",
)
ASKS = re.compile(
    r"^from aggregates\.(db\.snapshot|query\.(runner|paging|groups|units|arrivals|listing|platform)) import .*"
    r"\b(snapshot|read\w*|platform)\b",
    re.MULTILINE,
)
BY_OTHERS = {
    "streaming",
    "audit",
    "connecting",
}  # what exports ask, they ask through it; the others only the primary tells
API = (
    *("/api/v1/usage?range=90d&by=user", "/api/v1/usage?range=24h", "/api/v1/units?range=7d"),
    *("/api/v1/arrivals", "/api/v1/notes?range=7d"),
)


def content(client: Client, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, address
    if answer.streaming:
        return b"".join(answer)
    if address.partition("?")[0].endswith(".xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        return [[row for row in sheet.values if row[0] != "As of"] for sheet in book]
    return answer.content


@pytest.mark.parametrize("room", ["web", "api"])
def test_whoever_asks_about_usage_prefers_the_standby(room: str) -> None:
    """A new page does, too."""
    sources = {path: path.read_text() for path in (BASE / "aggregates" / room).rglob("*.py")}
    asking = {path for path, source in sources.items() if ASKS.search(source) and path.stem not in BY_OTHERS}
    assert asking
    assert {path.name for path in asking if "prefer_standby" not in sources[path]} == set()


@prefer_standby
def calls_in_log(organization: Organization) -> tuple[int, bool]:
    with snapshot():
        return UsageLog.objects.filter(organization=organization).count(), is_standby()


def test_every_page_comes_from_the_standby(pages: Client, alice: User, outcomes: Outcomes) -> None:
    User.objects.update(is_staff=True)
    for address in PAGES:
        content(pages, address)
        assert set(outcomes.new()) == {"standby"}, address


def test_every_file_comes_from_it_and_is_the_same(pages: Client, outcomes: Outcomes, behind: Behind) -> None:
    from_standby = {address: content(pages, address) for address in FILES}
    assert outcomes.new() == {"standby": len(FILES)}
    with behind():
        assert {address: content(pages, address) for address in FILES} == from_standby
    assert outcomes.new() == {"behind": len(FILES)}


def test_programs_read_it_and_get_the_same(reader: Callable[[str], Any], outcomes: Outcomes, behind: Behind) -> None:
    from_standby = {address: reader(address) for address in API}
    assert outcomes.new() == {"standby": len(API)}
    with behind():
        assert {address: reader(address) for address in API} == from_standby
    assert outcomes.new() == {"behind": len(API)}


@pytest.mark.parametrize("synchronous_commit", ["on", "off"])
def test_what_was_recorded_is_in_the_very_next_read(
    history: Organization, outcomes: Outcomes, call: Callable[..., Call], synchronous_commit: str
) -> None:
    """Without synchronous_commit a call is in the log, for all to see, before it is in any file that is replayed; the
    primary answers as long as it is in none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', %s, false)", [synchronous_commit])
    before, times = UsageLog.objects.count(), 12
    for number in range(1, times + 1):
        record(history, [call(TODAY.isoformat(), request_id=f"next-{number}")])
        count, from_standby = calls_in_log(history)
        assert (count, from_standby or synchronous_commit == "off") == (before + number, True)
    read = outcomes.new()
    assert (sum(read.values()), set(read) <= {"standby", "behind"}) == (times, True)


def test_a_page_has_what_the_standby_has_not_replayed(
    pages: Client, history: Organization, outcomes: Outcomes, behind: Behind, call: Callable[..., Call]
) -> None:
    with behind():
        record(history, [call(TODAY.isoformat(), user_id="just-now")])
        assert b"just-now" in content(pages, "/o/acme/?range=7d&by=user")
        assert b"just-now" in content(pages, "/o/acme/calls.csv?range=7d")
        assert outcomes.new() == {"behind": 2}
    assert b"just-now" in content(pages, "/o/acme/?range=7d&by=user")
    assert outcomes.new() == {"standby": 1}


class Clock:
    """Goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_after_a_wait_in_vain_others_only_look(
    history: Organization, outcomes: Outcomes, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(standby, "time", clock)
    with behind():
        calls_in_log(history)
        waited = len(clock.slept)
        assert waited
        until = standby.pauses.hurried_until
        assert calls_in_log(history)[1] is False
        assert standby.pauses.hurried_until == until  # by who did not wait it is not prolonged
    assert len(clock.slept) == waited


def test_who_may_see_what_is_asked_of_the_primary(
    pages: Client, alice: User, reader: Callable[[str], Any], outcomes: Outcomes, behind: Behind
) -> None:
    """A right that was taken away is gone at once, however far behind the standby is."""
    content(pages, PAGES[0])
    reader(API[0])
    outcomes.new()
    with behind():
        Membership.objects.filter(user=alice).delete()
        ApiKey.objects.update(revoked_at=timezone.now())
        assert pages.get(PAGES[0]).status_code == 404
        assert pages.get(FILES[0]).status_code == 404
        with pytest.raises(AssertionError, match="API key"):
            reader(API[0])
    assert outcomes.new() == {}


def test_strangers_see_nothing(client: Client, charlie: User, outcomes: Outcomes) -> None:
    client.force_login(charlie)
    assert {client.get(address).status_code for address in (*PAGES, *FILES)} == {404}
    assert outcomes.new() == {}


def test_another_organization_reads_its_own(
    client: Client, charlie: User, other: Organization, outcomes: Outcomes, call: Callable[..., Call]
) -> None:
    client.force_login(charlie)
    record(other, [call(TODAY.isoformat(), user_id="theirs")])
    assert b"theirs" in content(client, "/o/other/calls.csv?range=30d")
    assert b"theirs" in content(client, "/o/other/?range=30d&by=user")
    assert outcomes.new() == {"standby": 2}


def test_within_a_transaction_its_own_server_is_read(history: Organization, outcomes: Outcomes) -> None:
    with transaction.atomic():
        assert calls_in_log(history)[1] is False
    assert outcomes.new() == {}


def test_reads_within_a_read_are_of_the_same_snapshot(history: Organization, outcomes: Outcomes) -> None:
    @prefer_standby
    def both() -> tuple[Any, Any]:
        with snapshot():
            return calls_in_log(history), calls_in_log(history)

    first, second = both()
    assert first == second
    assert first[1] is True
    assert outcomes.new() == {"standby": 1}


def test_an_error_that_is_not_the_databases_is_raised_as_it_is(outcomes: Outcomes) -> None:
    @prefer_standby
    def refuse() -> None:
        with snapshot():
            raise QueryError("no")

    with pytest.raises(QueryError):
        refuse()
    assert outcomes.new() == {"standby": 1}
    assert connection.alias == "default"


def test_a_file_that_grows_too_large_leaves_no_transaction_open(
    pages: Client, outcomes: Outcomes, server: Replica, settings: Any
) -> None:
    settings.EXPORT_MAX_MB = 0
    assert pages.get(FILES[3]).status_code == 400
    with psycopg.connect(server.conninfo("postgres")) as asked:
        row = asked.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'").fetchone()
    assert row == (0,)
