"""Clients: they post batches to the web server while somebody looks at the dashboard, beside plain SQL.

Every call that was acknowledged has to be in the log exactly once at the end, whatever had to be sent again.
"""

import http.client
import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Sum
from django.test import Client

from aggregates.accounts import keys
from aggregates.domain.calls import FIELDS, Call
from aggregates.ingest.recording import COLUMNS
from aggregates.models import Membership, Organization, Role, UsageLog, User
from aggregates.ops.load.amounts import Load
from aggregates.ops.load.calls import Tenant, calls_of
from tests.bench import table
from tests.bench.databases import make, make_plain
from tests.bench.measuring import execute, seconds
from tests.bench.table import Line, at_most
from tests.serving import serving

BATCH = 1_000
CLIENTS = 8
AFTERWARDS = 5  # times that the page is loaded when all is sent
AT_MOST = 600  # seconds, for all of it
RETRIED = {429, 503}
COPIED = ", ".join(("organization_id", *COLUMNS))


@dataclass
class Sent:
    """What the clients saw; times in seconds."""

    calls: int
    cost: Decimal
    took: float = 0
    accepted: int = 0
    duplicates: int = 0
    again: int = 0
    pages: list[float] = field(default_factory=list)
    pages_after: list[float] = field(default_factory=list)  # when nothing comes in any longer


def lines(calls: int) -> list[Line]:
    make("bench_sending")
    organization = Organization.objects.create(slug="sending", name="Sending")
    sent = send(organization, calls)
    check(organization, sent)
    rate = f"{sent.calls / sent.took:,.0f} calls/s"
    what = f"record {calls:,} calls sent in batches of {BATCH:,} over {CLIENTS} connections, {rate}"
    looked = f"the dashboard meanwhile, {len(sent.pages):,} times: the median, and the slowest"
    return [
        at_most(what, sent.took, seconds_of_plain_sql(organization)),
        Line(looked, table.time(statistics.median(sent.pages)), table.time(max(sent.pages))),
        # Its own reading of the calls that are not rolled up yet: what is more than that it waited for.
        Line("- afterwards, with all of them in the log", table.time(statistics.median(sent.pages_after))),
    ]


def send(organization: Organization, calls: int) -> Sent:
    """Start the web server as in production, and send it so many calls; raises if it does anything but take them."""
    bodies, cost = bodies_of(calls)
    sent = Sent(calls, cost)
    _, secret = keys.create(organization, "bench", None)
    cookie = log_in(organization)
    give_up, done = time.monotonic() + AT_MOST, threading.Event()
    with server() as port, ThreadPoolExecutor(CLIENTS + 1) as pool:
        looking = pool.submit(look, port, f"/o/{organization.slug}/", cookie, done, sent.pages)
        start = time.perf_counter()
        try:
            clients = [
                pool.submit(post, port, secret.text, bodies[number::CLIENTS], give_up) for number in range(CLIENTS)
            ]
            for client in clients:
                accepted, duplicates, again = client.result()
                sent.accepted += accepted
                sent.duplicates += duplicates
                sent.again += again
            sent.took = time.perf_counter() - start
        finally:
            done.set()
        looking.result()
        for _ in range(AFTERWARDS):
            look(port, f"/o/{organization.slug}/", cookie, done, sent.pages_after)
    return sent


def drawn(calls: int) -> list[Call]:
    """Draw calls of the last hour, the latest first."""
    now = datetime.now(UTC)
    chunks = calls_of(Tenant(0, Load(calls, now.date(), now.date(), now)), now.date(), calls)
    return [
        call._replace(request_id=f"sent-{number}", timestamp=now - number * timedelta(hours=1) / calls)
        for number, call in enumerate(call for chunk in chunks for call in chunk)
    ]


def row_of(call: Call) -> dict[str, Any]:
    """Write a call as a program sends it in JSON."""
    return {name: value for name in FIELDS if (value := getattr(call, name)) != ()}


def bodies_of(calls: int) -> tuple[list[bytes], Decimal]:
    """Make batches of JSON of calls of the last hour, and what all of them cost."""
    rows = list(map(row_of, drawn(calls)))
    cost = sum((Decimal(row["cost"]) for row in rows if row["cost"] is not None), Decimal(0))
    batches = (rows[start : start + BATCH] for start in range(0, calls, BATCH))
    return [json.dumps(batch, default=str).encode() for batch in batches], cost


def log_in(organization: Organization) -> str:
    """Log a member in and return the cookie."""
    member = User.objects.create_user(email="bench@example.com")
    Membership.objects.create(user=member, organization=organization, role=Role.ADMIN)
    client = Client()
    client.force_login(member)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def server() -> AbstractContextManager[int]:
    database = str(connection.settings_dict["NAME"])
    return serving(DJANGO_SETTINGS_MODULE="tests.process_settings", TEST_DATABASE=database)


def post(port: int, secret: str, bodies: list[bytes], give_up: float) -> tuple[int, int, int]:
    """Send these over one connection, what is refused for now again and again: accepted, duplicates, and how often."""
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    accepted = duplicates = again = 0
    for body in bodies:
        while True:
            assert time.monotonic() < give_up, f"it took more than {AT_MOST} s"
            client.request("POST", "/api/v1/usage", body, headers)
            response = client.getresponse()
            answer = json.loads(response.read())
            if response.status not in RETRIED:
                break
            again += 1
            time.sleep(float(response.headers["Retry-After"]))
        assert response.status == 200 and not answer["rejected"], (response.status, answer)
        accepted += answer["accepted"]
        duplicates += answer["duplicate"]
    client.close()
    return accepted, duplicates, again


def look(port: int, path: str, cookie: str, done: threading.Event, seconds_of_each: list[float]) -> None:
    """Load the page one time after the other until all is sent, at least once."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        start = time.perf_counter()
        client.request("GET", path, headers={"Cookie": cookie})
        response = client.getresponse()
        response.read()
        assert response.status == 200, response.status
        seconds_of_each.append(time.perf_counter() - start)
        if done.is_set():
            break
    client.close()


def check(organization: Organization, sent: Sent) -> None:
    """Check that every acknowledged call is in the log, exactly once."""
    log = UsageLog.objects.filter(organization=organization)
    logged = log.aggregate(calls=Count("pk"), ids=Count("request_id", distinct=True), cost=Sum("cost"))
    assert sent.accepted + sent.duplicates == sent.calls, sent
    assert logged == {"calls": sent.calls, "ids": sent.calls, "cost": sent.cost}, (logged, sent)


def seconds_of_plain_sql(organization: Organization) -> float:
    """Measure, for the same batches, COPY into a scratch table, then INSERT ... ON CONFLICT into a log."""
    make_plain("usagelog")
    with connection.cursor() as cursor:
        rows = f"SELECT {COPIED} FROM aggregates_usagelog WHERE organization_id = {organization.pk}"
        with cursor.copy(f"COPY ({rows}) TO STDOUT") as out:
            finished = b"".join(map(bytes, out)).splitlines(keepends=True)
    took = seconds(lambda: record_plainly(finished))
    assert execute("SELECT count(*) FROM plain_usagelog") == [(len(finished),)]
    execute("DROP TABLE plain_usagelog")
    return took


def record_plainly(finished: list[bytes]) -> None:
    scratch = f"CREATE TEMPORARY TABLE scratch ON COMMIT DROP AS SELECT {COPIED} FROM plain_usagelog LIMIT 0"
    for start in range(0, len(finished), BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(scratch)
            with cursor.copy(f"COPY scratch ({COPIED}) FROM STDIN") as copy:
                copy.write(b"".join(finished[start : start + BATCH]))
            cursor.execute(f"INSERT INTO plain_usagelog ({COPIED}) SELECT {COPIED} FROM scratch ON CONFLICT DO NOTHING")
