"""The audit log: what everything that is done leaves in it, who sees it, and that nobody changes it."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test import Client
from psycopg.sql import SQL

from aggregates.accounts import keys, signals
from aggregates.db import audit
from aggregates.db.sql import table, text
from aggregates.domain import ranges
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.ingest.correcting import Criteria, Delete, Unprice, correct
from aggregates.ingest.repricing import reprice
from aggregates.models import (
    ApiKey,
    AuditEntry,
    Event,
    FileImport,
    Kind,
    Membership,
    Organization,
    PriceOverride,
    UsageLog,
    User,
    Via,
)
from aggregates.pricing import overrides
from aggregates.query import notes as reading
from aggregates.query.notes import read_notes
from aggregates.query.selection import Selection
from aggregates.rollup import removal
from aggregates.rollup.recutting import change_time_zone
from tests.ingest.importing.conftest import give

MakeCall = Callable[..., Call]
URL, ADMIN = "/o/acme/audit/", "/admin/aggregates"
ADDRESS = "203.0.113.9"
PASSWORD = "correct horse battery"


def told(*, since: int = 0) -> list[tuple[object, ...]]:
    """The entries that came since one of that id, in words."""
    names = dict(User.objects.values_list("pk", "email"))
    return [
        (
            entry.organization.slug if entry.organization else "",
            entry.event,
            f"{names.get(entry.user_id, '')} by {entry.via} from {entry.address}",
            entry.before,
            entry.after,
            entry.effect,
        )
        for entry in AuditEntry.objects.filter(pk__gt=since).select_related("organization").order_by("pk")
    ]


def test_the_log_of_a_day_on_which_everything_was_done_once(
    acme: Organization, other: Organization, alice: User, bob: User, staff: User, call: MakeCall, tmp_path: Path
) -> None:
    """Each step, and the one entry that it leaves: whose, what, by whom, before, after and effect."""
    client, at_admin = Client(REMOTE_ADDR=ADDRESS), Client(REMOTE_ADDR=ADDRESS)
    at_admin.force_login(staff)
    alice.set_password(PASSWORD)
    alice.save()
    calls = [call(f"2025-0{month}-10T12:00Z", cost=month, user_id="laptop-1") for month in (5, 6)]
    record(acme, [*calls, call("2025-06-11T12:00Z", model="o9", input_tokens=1_000_000)])
    file = tmp_path / "laptop-1.csv"
    file.write_text("timestamp,model\n2025-07-01T12:00Z,gpt-5\n")
    place = Membership.objects.get(user=bob)
    price = {"pattern": "o9", "input": "3", "output": "15", "first": "2025-06-01"}
    members = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1"}
    members |= {"memberships-0-id": str(place.pk), "memberships-0-user": str(bob.pk)}
    members |= {"memberships-0-organization": str(acme.pk)}
    settings = {"slug": "acme", "name": "Acme Ltd.", "time_zone": "UTC", "first_weekday": "7", "first_month": "1"}
    here, there = "alice@example.com by page from 203.0.113.9", "staff@example.com by admin from 203.0.113.9"
    server, somebody = " by server from None", " by page from 203.0.113.9"
    command = {"organization": "acme", "apply": True, "stdout": io.StringIO()}
    organization = f"{ADMIN}/organization/{acme.pk}/"
    steps: list[tuple[Callable[[], Any], tuple[object, ...]]] = [
        (
            lambda: client.post("/login/", {"login": "alice@example.com", "password": "a wrong guess"}),
            ("acme", "account.log_in_failed", somebody, {}, {}, {}),
        ),
        (
            lambda: client.post("/login/", {"login": "nobody@example.com", "password": "a wrong guess"}),
            ("", "account.log_in_failed", somebody, {}, {}, {}),
        ),
        (
            lambda: client.post("/login/", {"login": "alice@example.com", "password": PASSWORD}),
            ("acme", "account.log_in", here, {}, {}, {}),
        ),
        (
            lambda: client.post("/o/acme/keys/", {"name": "laptop-1", "kind": "record", "labels": "team=laptop-1"}),
            (
                *("acme", "key.created", here, {}),
                *(lambda: {"key": key().prefix, "kind": "record", "labels": ["team"]}, {}),
            ),
        ),
        (
            lambda: at_admin.post(f"{ADMIN}/apikey/{key().pk}/change/", {"labels": '{"place": "laptop-1"}'}),
            (
                *("acme", "key.changed", there, {"labels": ["team"]}),
                *(lambda: {"key": key().prefix, "labels": ["place"]}, {}),
            ),
        ),
        (
            lambda: client.post(f"/o/acme/keys/{key().pk}/rotate/"),
            (
                *("acme", "key.rotated", here),
                lambda: {
                    "key": ApiKey.objects.earliest("pk").prefix,
                    "works_until": ApiKey.objects.earliest("pk").revoked_at.isoformat(),
                },
                *(lambda: {"key": key().prefix}, {}),
            ),
        ),
        (
            lambda: client.post(f"/o/acme/keys/{key().pk}/revoke/"),
            (
                *("acme", "key.revoked", here),
                *(lambda: {"key": key().prefix, "kind": "record", "labels": ["place"]}, {}, {}),
            ),
        ),
        (
            lambda: client.post("/o/acme/prices/", price),
            (
                *("acme", "price.set", here, {}),
                *({"model": "o9", "from": "2025-06-01", "input": "3", "output": "15", "tier": ""}, {}),
            ),
        ),
        (
            lambda: client.post("/o/acme/prices/", price | {"input": "4"}),
            (
                *("acme", "price.set", here, {"input": "3"}),
                *({"model": "o9", "from": "2025-06-01", "input": "4", "tier": ""}, {}),
            ),
        ),
        (
            lambda: call_command("reprice", **command),
            (
                *("acme", "cost.repriced", server, {}),
                *({"sources": ["discount", "none", "override", "table"], "calls": 1}, {"2025-06": "4.000000000000"}),
            ),
        ),
        (
            lambda: call_command("correct_usage", filters=[("user", "laptop-1")], delete=True, **command),
            (
                *("acme", "cost.corrected", server, {}, {"what": "deleted", "filters": ["user=…"], "calls": 2}),
                {"2025-05": "-5.000000000000", "2025-06": "-6.000000000000"},
            ),
        ),
        (
            lambda: client.post(f"/o/acme/prices/{PriceOverride.objects.get().pk}/remove/"),
            (
                *("acme", "price.removed", here),
                *({"model": "o9", "from": "2025-06-01", "input": "4", "output": "15", "tier": ""}, {}, {}),
            ),
        ),
        (
            lambda: call_command("import_usage", str(file), organization="acme", stdout=io.StringIO()),
            ("acme", "data.imported", server, {}, {"rows": 1, "new": 1}, {}),
        ),
        (
            lambda: client.get("/o/acme/usage.csv?range=custom&from=2025-06-01&to=2025-06-30&user=laptop-1"),
            (
                *("acme", "data.exported", here, {}),
                *({"what": "acme-usage-2025-06-01-2025-06-30.csv", "filters": ["user"]}, {}),
            ),
        ),
        (
            lambda: at_admin.post(f"{organization}change/", settings | members | {"memberships-0-role": "analyst"}),
            (
                *("acme", "organization.changed", there),
                *({"name": "Acme", "first_weekday": 1}, {"name": "Acme Ltd.", "first_weekday": 7}, {}),
            ),
        ),
        (
            lambda: at_admin.post(f"{organization}change/", settings | members | {"memberships-0-role": "admin"}),
            ("acme", "member.changed", there, {"role": "analyst"}, {"role": "admin"}, {}),
        ),
        (
            lambda: at_admin.post(
                f"{organization}change/",
                settings | members | {"memberships-0-role": "admin", "memberships-0-DELETE": "on"},
            ),
            ("acme", "member.removed", there, {"role": "admin"}, {}, {}),
        ),
        (
            lambda: call_command("change_time_zone", "acme", "Asia/Kolkata", stdout=io.StringIO()),
            ("acme", "organization.zone", server, {"time_zone": "UTC"}, {"time_zone": "Asia/Kolkata"}, {}),
        ),
        (
            lambda: call_command("label_attributes", "acme", names=["team"], stdout=io.StringIO()),
            ("acme", "organization.changed", server, {"label_attributes": []}, {"label_attributes": ["team"]}, {}),
        ),
        (
            lambda: at_admin.post(f"{ADMIN}/user/{bob.pk}/change/", user_form(bob, is_staff="on")),
            ("", "account.changed", there, {"is_staff": False}, {"is_staff": True}, {}),
        ),
        (
            lambda: client.post(
                "/password/",
                {"oldpassword": PASSWORD, "password1": f"{PASSWORD} 2", "password2": f"{PASSWORD} 2"},
            ),
            ("acme", "account.password", here, {}, {}, {}),
        ),
        (
            lambda: call_command("remove_organization", "acme", noinput=True, stdout=io.StringIO()),
            ("", "organization.removal", server, {"organization": "acme"}, {}, {}),
        ),
    ]
    for number, (step, expected) in enumerate(steps):
        before = newest()
        step()
        found = told(since=before)
        wanted = tuple(part() if callable(part) else part for part in expected)
        if number == len(steps) - 1:  # whose second entry is its end
            assert found.pop() == ("", "organization.removed", server, {"organization": "acme"}, {}, {})
        assert found == [wanted], number
    assert not AuditEntry.objects.exclude(organization=None).exists()
    assert "laptop-1" not in json.dumps(told(), default=str)


def key() -> ApiKey:
    """The key that was made last."""
    return ApiKey.objects.latest("pk")


def newest() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def user_form(user: User, **changes: str) -> dict[str, str]:
    joined = user.date_joined.astimezone(UTC)
    dates = {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"}
    return {"email": user.email, "is_active": "on", **dates, **changes}


def test_a_user_of_the_database_changes_and_deletes_no_entry(acme: Organization) -> None:
    keys.create(acme, "checkout", None)
    audit.write(Event.LOG_IN_FAILED)

    for change in ("event = 'x'", "keep_until = at", "at = at WHERE false"):
        statement = text(SQL("UPDATE {} SET {}").format(table(AuditEntry), SQL(change)))
        with pytest.raises(ProgrammingError, match="never changed"), transaction.atomic():
            connection.cursor().execute(statement)
    for whose in (acme, None):
        with pytest.raises(ProgrammingError, match="are kept: this one until"), transaction.atomic():
            AuditEntry.objects.filter(organization=whose).delete()
    assert AuditEntry.objects.count() == 2


def test_entries_that_are_no_longer_kept_are_deleted_in_steps(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    keys.create(acme, "checkout", None)
    long_ago = {"at": datetime(2020, 1, 1, tzinfo=UTC), "keep_until": datetime(2022, 1, 1, tzinfo=UTC)}
    for whose in (acme, acme, None, None):
        AuditEntry.objects.create(organization=whose, event="key.created", via="page", **long_ago)

    assert audit.forget() == 4
    assert AuditEntry.objects.get().after["kind"] == "record"


def test_the_setting_says_for_how_many_months_an_entry_is_kept(acme: Organization, settings: Any) -> None:
    settings.AUDIT_MONTHS = 3
    keys.create(acme, "checkout", None)

    entry = AuditEntry.objects.get()
    assert 89 <= (entry.keep_until - entry.at).days <= 92


@pytest.mark.parametrize(
    "change",
    [
        lambda acme, key, price: keys.create(acme, "other", None),
        lambda acme, key, price: keys.rotate(acme, key.pk, None),
        lambda acme, key, price: keys.revoke(acme, key.pk),
        lambda acme, key, price: overrides.set_price(acme, "o9", None, None, PRICES, None),
        lambda acme, key, price: overrides.remove(acme, price.pk),
        lambda acme, key, price: correct(acme, Criteria(), Delete()),
        lambda acme, key, price: reprice(acme, Criteria(), ("reported",)),
        lambda acme, key, price: change_time_zone(acme, "Asia/Kolkata"),
        lambda acme, key, price: removal.ask(acme),
        lambda acme, key, price: call_command("label_attributes", "acme", names=["team"]),
    ],
    ids=["create", "rotate", "revoke", "set", "remove", "correct", "reprice", "zone", "removal", "attributes"],
)
def test_without_its_entry_nothing_is_changed(
    acme: Organization, call: MakeCall, settings: Any, change: Callable[..., Any]
) -> None:
    record(acme, [call("2025-06-10T12:00Z", cost=1, input_tokens=5)])
    key, _ = keys.create(acme, "checkout", None)
    price = overrides.set_price(acme, "gpt-5", None, None, PRICES, None)
    before = state()
    settings.AUDIT_MONTHS = 0  # which the table refuses

    with pytest.raises(IntegrityError, match="audit_entry_is_kept"):
        change(acme, key, price)

    assert state() == before


PRICES = {"input": Decimal(1), "output": Decimal(2)}


def state() -> list[Any]:
    tables = (ApiKey, PriceOverride, UsageLog, Organization, AuditEntry)
    return [list(each.objects.order_by("pk").values()) for each in tables]


def test_entries_go_with_their_organization_alone(acme: Organization, other: Organization, alice: User) -> None:
    for whose in (acme, other):
        keys.create(whose, "checkout", None)
    removal.remove(acme)
    assert told() == [
        *[entry for entry in told() if entry[0] == "other"],
        ("", "organization.removal", " by server from None", {"organization": "acme"}, {}, {}),
        ("", "organization.removed", " by server from None", {"organization": "acme"}, {}, {}),
    ]

    ApiKey.objects.all().delete()
    other.delete()  # as whoever deletes the row
    assert {entry[0] for entry in told()} == {""}


def test_admins_alone_read_it(client: Client, acme: Organization, alice: User, bob: User, charlie: User) -> None:
    keys.create(acme, "checkout", None)
    for user, status in ((alice, 200), (bob, 404), (charlie, 404)):
        client.force_login(user)
        assert [client.get(url).status_code for url in (URL, "/o/acme/audit.csv")] == [status, status]
    key = keys.create(acme, "report", None, Kind.READ)[1].text
    assert client.get("/api/v1/audit", headers={"Authorization": f"Bearer {key}"}).status_code == 404


def test_the_page_says_it_in_words_and_links_to_what_somebody_did(
    client: Client, acme: Organization, other: Organization, alice: User, bob: User
) -> None:
    client.force_login(alice)
    imported = give(acme, alice, b"timestamp,model\n", name="<july>.csv")
    with audit.acting(lambda: audit.Actor(Via.PAGE, alice.pk, "2001:db8::1")):
        audit.write(Event.MEMBER_CHANGED, acme, about=bob.pk, before={"role": "viewer"}, after={"role": "admin"})
        effect = {date(2025, 6, 1): Decimal("-4.21"), date(2025, 7, 1): Decimal(1)}
        audit.write(Event.CORRECTED, acme, after={"what": "deleted", "calls": 3}, effect=effect)
        audit.write(Event.IMPORTED, acme, about=imported.pk, after={"new": 7})
        audit.write(Event.KEY_REVOKED, other, before={"key": "usage_00000000"})

    page = " ".join(client.get(URL).content.decode().split())

    assert "from 2001:db8::1" in page
    assert "<b>Member changed</b>: <bdi>bob@<wbr>example.<wbr>com</bdi>" in page
    assert "role: <del>Viewer</del> → Admin" in page
    assert '<span class="audit-effect">−$4.21 in June 2025</span>' in page
    assert '<span class="audit-effect">+$1.00 in July 2025</span>' in page
    assert "&lt;july&gt;.<wbr>csv" in page
    assert f'<a href="?who={alice.pk}">' in page
    assert "Key revoked</b>" not in page  # of the others


@pytest.fixture
def entries(acme: Organization, alice: User, bob: User) -> list[AuditEntry]:
    """Entries of a key each, every hour: by Alice, Bob and a command in turns, two of the same moment."""
    moments = [datetime(2025, 7, 1 + number // 24, number % 24, tzinfo=UTC) for number in (0, 0, *range(1, 58))]
    return [
        AuditEntry.objects.create(
            organization=acme,
            at=moment,
            keep_until=datetime(2999, 1, 1, tzinfo=UTC),
            event=(Event.KEY_CREATED, Event.PRICE_SET)[number % 2],
            via="page",
            user_id=(alice.pk, bob.pk, None)[number % 3],
            after={"key": f"usage_{number:08}"},
        )
        for number, moment in enumerate(moments)
    ]


def listed(client: Client, query: str = "") -> list[int]:
    """The numbers of the entries on a page, or `/csv` in the file."""
    rows = csv.DictReader(io.StringIO(b"".join(client.get(f"/o/acme/audit.csv{query}")).decode("utf-8-sig")))
    return [int(json.loads(row["after"])["key"].removeprefix("usage_")) for row in rows if row["after"] != "{}"]


def test_a_page_has_fifty_and_leads_to_the_older_ones(client: Client, alice: User, entries: list[AuditEntry]) -> None:
    client.force_login(alice)
    newest = client.get(f"{URL}?to=2025-07-31").content.decode()
    assert (newest.count("usage_0"), "usage_00000058" in newest, "usage_00000008" in newest) == (50, True, False)
    older = newest.partition('rel="next" href="?')[2].partition('"')[0].replace("&amp;", "&")

    rest = client.get(f"{URL}?{older}").content.decode()

    assert (rest.count("usage_0"), 'rel="next"' in rest) == (9, False)
    assert rest.index("usage_00000001") < rest.index("usage_00000000")
    assert "No entries" in client.get(f"{URL}?before=1").content.decode()


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?to=2025-07-31", range(59)),
        ("?from=2025-07-02&to=2025-07-02", range(25, 49)),
        ("?who={alice}&to=2025-07-31", range(0, 59, 3)),
        ("?who=0&to=2025-07-31", range(2, 59, 3)),
        ("?what=price&to=2025-07-31", range(1, 59, 2)),
        ("?what=key.created&who={bob}&to=2025-07-31", range(4, 59, 6)),
        ("?what=cost", ()),
    ],
)
def test_a_file_has_the_entries_that_the_filters_choose(
    client: Client, alice: User, bob: User, entries: list[AuditEntry], query: str, numbers: range
) -> None:
    client.force_login(alice)

    assert sorted(listed(client, query.format(alice=alice.pk, bob=bob.pk))) == [*numbers]


def test_filters_that_cannot_be_read_are_said(client: Client, alice: User) -> None:
    client.force_login(alice)
    wrong = "?who=x&what=nonsense&from=2025-07-02&to=2025-07-01&before=0"

    page, file = client.get(URL + wrong).content.decode(), client.get(f"/o/acme/audit.csv{wrong}")

    assert page.count("<li><b>") == 4
    assert "Expected a date not before 2025-07-02" in page
    assert file.status_code == 400
    for days in ("?to=9999-12-31", "?from=0001-01-01"):
        assert "Expected a date from" in client.get(URL + days).content.decode()
        assert client.get(f"/o/acme/audit.csv{days}").status_code == 400


def test_a_replaced_name_is_on_no_page_and_in_no_file(
    client: Client, acme: Organization, alice: User, call: MakeCall
) -> None:
    record(acme, [call("2025-06-10T12:00Z", user_id="laptop-1", cost=1)])
    key, _ = keys.create(acme, "laptop-1", alice, labels={"team": "laptop-1"})
    imported = give(acme, alice, b"timestamp,model\n", name="laptop-1.csv")
    audit.write(Event.IMPORTED, acme, about=imported.pk)
    correct(acme, Criteria(filters=(("user", "laptop-1"),)), Unprice())
    client.force_login(alice)
    urls = (URL, "/o/acme/audit.csv")
    assert all(b"laptop-1" in unbroken(client, url) for url in urls)

    call_command("replace_user", "laptop-1", organization="acme", apply=True, stdout=io.StringIO())

    pages = [unbroken(client, url) for url in urls]
    assert not any(b"laptop-1" in page for page in pages)
    new = FileImport.objects.get().name.removesuffix(".csv").encode()
    assert all(page.count(new) >= 2 for page in pages)
    assert AuditEntry.objects.filter(event=Event.NAME_REPLACED, after={"pseudonym": new.decode()}).exists()


def unbroken(client: Client, url: str) -> bytes:
    return b"".join(client.get(url)).replace(b"<wbr>", b"")


def test_what_an_account_did_outlives_it(client: Client, acme: Organization, alice: User, bob: User) -> None:
    number = bob.pk
    with audit.acting(lambda: audit.Actor(Via.PAGE, number, ADDRESS)):
        keys.create(acme, "checkout", None)
    bob.delete()
    client.force_login(alice)

    assert f"account {number}, which is gone" in client.get(URL).content.decode()


def test_staff_read_the_platforms_own_entries_and_no_others(client: Client, acme: Organization, staff: User) -> None:
    audit.write(Event.LOG_IN_FAILED)
    keys.create(acme, "checkout", None)
    client.force_login(staff)
    own = AuditEntry.objects.get(organization=None, event=Event.LOG_IN_FAILED)
    theirs = AuditEntry.objects.get(organization=acme)

    page = client.get(f"{ADMIN}/auditentry/").content.decode()

    assert ("Log-in failed" in page, "Key created" in page) == (True, False)
    assert client.get(f"{ADMIN}/auditentry/{own.pk}/change/").status_code == 200
    assert client.get(f"{ADMIN}/auditentry/{theirs.pk}/change/").status_code == 302
    assert client.post(f"{ADMIN}/auditentry/{own.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{ADMIN}/auditentry/add/").status_code == 403


def test_what_has_no_field_is_not_written(acme: Organization) -> None:
    with pytest.raises(ValueError, match="no field secret"):
        audit.write(Event.KEY_CREATED, acme, after={"secret": "usage_x"})


def test_charts_are_told_what_was_done_to_days(
    acme: Organization, other: Organization, call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    for whose in (acme, other):
        record(whose, [call(f"2025-07-{day:02}T12:00Z", cost=1, input_tokens=5) for day in (3, 9, 20)])
    chosen = Selection(acme, ranges.of_days("custom", date(2025, 7, 1), date(2025, 7, 15), "UTC"))
    correct(acme, Criteria(first=date(2025, 7, 3), last=date(2025, 7, 9)), Unprice())
    correct(acme, Criteria(first=date(2025, 7, 20)), Unprice())
    correct(other, Criteria(), Delete())
    reprice(acme, Criteria(last=date(2025, 7, 3)))
    today = datetime.now(UTC).date()

    found = read_notes(chosen)

    assert [(note.kind, note.first.day, note.last.day) for note in found] == [("corrected", 3, 9), ("repriced", 3, 3)]
    assert found[0].words == f"Calls of these days were corrected on {today.day} {today:%b %Y}"
    assert not any("$" in note.words or note.author for note in found)  # whoever sees a part sees these, too

    change_time_zone(acme, "Asia/Kolkata")
    monkeypatch.setattr(reading, "MOST", 1)
    whole = Selection(acme, ranges.of_days("custom", date(2025, 7, 1), date(2999, 1, 1), "Asia/Kolkata"))
    assert [(note.kind.value, note.first.year) for note in read_notes(whole)] == [
        ("repriced", 2025),
        ("corrected", 2025),
        ("zone", today.year),
    ]


def test_a_flood_of_failed_log_ins_does_not_fill_the_log(
    client: Client, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "MOST_FAILURES", 2)
    for name in ("alice", "alice", "alice", "nobody", "nobody", "nobody"):
        client.post("/login/", {"login": f"{name}@example.com", "password": "a wrong guess"})

    assert [entry[0] for entry in told()] == ["acme", "acme", "", ""]
