"""Who sees a part of the usage sees that part, whatever is asked: on every page, in every file, with a key.

Alice's Acme has two projects. All that was recorded of the other one has “hidden” in its name, and costs millions; Bob
sees the one that is called alpha.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from aggregates.accounts import day_notes, keys, saved_views
from aggregates.accounts.access import key_for, membership_for
from aggregates.db.partitions import partition_name
from aggregates.domain.calls import Call
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import Sums
from aggregates.domain.scopes import EVERYTHING, Scope
from aggregates.domain.secret import Secret
from aggregates.ingest import record
from aggregates.models import ApiKey, Kind, Membership, Organization, Role, StoredSelection, UsageLog, User
from aggregates.query.groups import Listing, read_groups
from aggregates.query.runner import read
from aggregates.query.units import read_units
from aggregates.query.usage_query import Bucket, QueryError, Source, UsageQuery
from aggregates.rollup.names_elsewhere import replace_elsewhere
from aggregates.rollup.protocol import roll_up
from tests.fixtures import arrive, make_member, make_organization
from tests.lot import share
from tests.test_isolation import ADDRESSES, address

pytestmark = pytest.mark.django_db
MakeCall = Callable[..., Call]
FEBRUARY, MARCH = date(2025, 2, 10), date(2025, 3, 10)
OTHERS = date(2025, 2, 12)  # without calls of alpha
FIRST, LAST = date(2025, 2, 1), date(2025, 3, 31)
PROJECT = {"project": ["alpha"]}
HIDDEN_COST, HIDDEN_TOKENS = Decimal("7123456.789"), 7_123_456
FIELDS = {"user": "user_id", "subject": "subject_id", "tier": "service_tier"}
# What may not be read anywhere: names, and amounts of any number of calls, long and short.
NAMES = "hidden"
AMOUNTS = "|".join(
    f"{each:,}|{each}|{each / 10**6:.2f}M|{each / 10**6:.1f}M"
    for each in (int(number * HIDDEN_COST) for number in range(1, 17))
).replace(".", r"\.")
HIDDEN = re.compile(f"{NAMES}-|{AMOUNTS}")


def calls_of(call: MakeCall, moments: list[str]) -> list[Call]:
    """Calls of both projects at each moment: those of alpha with a user and a subject that the other one has, too."""
    of_alpha = [
        call(
            moment,
            project="alpha",
            model=f"model-{number}",
            operation="chat",
            provider="openai",
            user_id=user,
            subject_id="s-1",
            service_tier="batch",
            input_tokens=10,
            output_tokens=3,
            cost="0.015",
            latency_ms=120,
            units={"web_searches": 2},
            request_id=f"plain-{moment}-{number}",
        )._replace(key="usage_0a1b2c3d")
        for moment in moments
        for number, user in enumerate(("u-1", "u-2"))
    ]
    of_other = [
        call(
            moment,
            project="hidden-project",
            model="hidden-model",
            operation="hidden-operation",
            provider="hidden-provider",
            user_id=user,
            subject_id="hidden-subject",
            service_tier="hidden-tier",
            input_tokens=HIDDEN_TOKENS,
            output_tokens=HIDDEN_TOKENS,
            cost=HIDDEN_COST if user else None,
            latency_ms=9_123_456,
            units={"web_searches": 987_654},
            labels={"team": "hidden-label"},
            status="error",
            request_id=f"hidden-{moment}-{user}",
        )._replace(key="usage_ffffffff")
        for moment in moments
        for user in ("u-1", "hidden-user", "")
    ]
    return [*of_alpha, *of_other]


@pytest.fixture(scope="module")
def recorded(shared: None, call: MakeCall) -> list[Call]:
    """A day whose calls are no longer in the log, one that is rolled up, one with calls that came later, and today;
    and in Twin the same without what is out of sight."""
    acme, twin = make_organization("acme"), make_organization("twin")

    def record_both(calls: list[Call]) -> None:
        record(acme, calls)
        record(twin, [each for each in calls if each.project == "alpha"])

    now = timezone.now().astimezone(UTC)
    moments = [f"{FEBRUARY}T09:00Z", f"{MARCH}T10:00Z", f"{MARCH}T23:00Z", "2025-03-20T08:00Z"]
    calls = calls_of(call, [*moments, (now - timedelta(minutes=5)).isoformat()])
    newest = calls_of(call, [(now - timedelta(minutes=4)).isoformat()])
    newest += calls_of(call, [f"{OTHERS}T09:00Z"])
    calls += [each for each in newest if each.project != "alpha"]
    record_both(calls)
    roll_up()
    early = [each for each in calls_of(call, ["2025-01-15T15:00Z"]) if each.project != "alpha"]
    record(acme, early)
    roll_up()
    late = calls_of(call, ["2025-03-20T15:00Z"])
    record_both(late)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP TABLE {partition_name(FEBRUARY)}")
    return [*early, *calls, *late]


@pytest.fixture(scope="module")
def scene(recorded: list[Call]) -> Organization:
    """What others made: a key, a view, a note, long filters, an invitation; all with names that are not to be seen."""
    acme = Organization.objects.get(slug="acme")
    alice = make_member("alice@example.com", acme)
    ApiKey.objects.create(organization=acme, name="hidden-key", prefix="usage_ffffffff", secret_hash="f" * 64)
    place = membership_for(alice, "acme")
    saved_views.save(place, "hidden-view", {"user": ["hidden-user"], "range": ["30d"]}, shared=True, is_default=True)
    day_notes.add(acme, author=alice, first=MARCH, last=None, text="hidden-note")
    StoredSelection.objects.create(
        organization=acme, key="abcdefabcdef", filters=[["user", "hidden-user"], ["user", "u-1"]], excluded=[]
    )
    arrive(acme)
    return acme


def limit(email: str, organization: Organization, limits: dict[str, list[str]], role: Role = Role.ANALYST) -> User:
    user = make_member(email, organization, role)
    Membership.objects.filter(user=user).update(limited_to=limits)
    return user


# ------------------------------------------------------------------ numbers: the sums over the log, within the scope

SCOPES: list[dict[str, list[str]]] = [
    PROJECT,
    {"user": ["u-1"]},
    {"user": ["u-1", "u-2"]},
    {"project": ["alpha"], "user": ["u-2", "nobody"]},
    {"project": ["nothing"]},
]
FILTERS: list[tuple[tuple[str, str], ...]] = [
    (),
    (("project", "hidden-project"),),
    (("project", "hidden-project"), ("project", "alpha")),
    (("user", "u-1"),),
    (("user", "hidden-user"), ("user", "u-2")),
    (("model", "hidden-model"),),
]
EXCLUDED: list[tuple[tuple[str, str], ...]] = [(), (("project", "alpha"),), (("user", "u-1"),)]


def in_sight(calls: list[Call], query: UsageQuery) -> list[Call]:
    """What a query is about, by hand."""

    def value(call: Call, name: str) -> str:
        return str(getattr(call, FIELDS.get(name, name)))

    def matches(call: Call) -> bool:
        kept = {name: {each for dimension, each in query.filters if dimension == name} for name, _ in query.filters}
        return (
            query.start <= call.timestamp < query.end
            and all(value(call, name) in values for name, values in (*kept.items(), *query.scope.values))
            and all(value(call, name) != each for name, each in query.excluded)
        )

    return [call for call in calls if matches(call)]


def sums_of(calls: list[Call]) -> tuple[int, int, Decimal, int]:
    cost = sum((call.cost for call in calls if call.cost is not None), Decimal(0))
    return len(calls), sum(call.cost is None for call in calls), cost, sum(call.input_tokens for call in calls)


def told(sums: Sums) -> tuple[int, int, Decimal, int]:
    return sums.calls, sums.unpriced_calls, sums.cost, sums.input_tokens


@pytest.mark.parametrize("limits", SCOPES, ids=str)
def test_every_sum_is_that_of_the_calls_in_sight(scene: Organization, recorded: list[Call], limits: Any) -> None:
    acme = Organization.objects.get(pk=scene.pk)
    acme.scope = Scope.of(limits)
    asked = [
        UsageQuery.for_dates(acme, FIRST, LAST, bucket=bucket, by=by, filters=filters, excluded=excluded, top=top)
        for filters, excluded in product(FILTERS, EXCLUDED)
        for bucket, by, top in (
            (Bucket.TOTAL, (), None),
            (Bucket.DAY, (), None),
            (Bucket.TOTAL, ("model",), None),
            (Bucket.MONTH, ("project",), 1),
            (Bucket.WEEK, ("subject",), 1),
            (Bucket.TOTAL, ("user",), 1),
        )
    ]
    refused: dict[UsageQuery, QueryError] = {}

    answers = read(asked, refused)

    assert {query: told(answer.totals) for query, answer in answers.items()} == {
        query: sums_of(in_sight(recorded, query)) for query in answers
    }
    assert all("no daily aggregate holds" in str(error) for error in refused.values())
    assert len(answers) > len(refused)


def test_a_grain_that_does_not_hold_what_limits_is_not_read(scene: Organization, recorded: list[Call]) -> None:
    acme = Organization.objects.get(pk=scene.pk)
    acme.scope = Scope.of({"project": ["alpha"], "user": ["u-1"]})
    query = UsageQuery.for_dates(acme, FIRST, LAST, by=("subject",), bucket=Bucket.TOTAL)
    assert query.grain is None

    with pytest.raises(QueryError, match="no daily aggregate holds subject with user with project"):
        read([query])

    logged = UsageQuery.for_dates(acme, MARCH, LAST, by=("subject",), bucket=Bucket.TOTAL)
    assert told(read([logged])[logged].totals) == sums_of(in_sight(recorded, logged))


def test_a_refusal_names_no_day_on_which_only_others_had_usage(scene: Organization) -> None:
    acme = Organization.objects.get(pk=scene.pk)
    acme.scope = Scope.of({"project": ["alpha"], "user": ["u-1"]})

    def ask(first: date, last: date, **more: Any) -> str:
        with pytest.raises(QueryError) as refused:
            read([UsageQuery.for_dates(acme, first, last, **{"bucket": Bucket.TOTAL, **more})])
        return str(refused.value)

    assert f"Calls of some of the days from {FIRST} to {LAST} are missing" in ask(FIRST, LAST, by=("subject",))
    assert f"Calls of {FEBRUARY} are missing" in ask(FEBRUARY, FEBRUARY, bucket=Bucket.HOUR)
    rolled = ask(MARCH, LAST, by=("project",), source=Source.AGGREGATES)
    assert f"Not all days are rolled up: some of the days from {MARCH} to {LAST}." in rolled


def test_groups_and_units_are_those_in_sight(scene: Organization, recorded: list[Call]) -> None:
    acme = Organization.objects.get(pk=scene.pk)
    acme.scope = Scope.of(PROJECT)
    for name in BY_NAME:
        query = UsageQuery.for_dates(acme, FIRST, LAST, by=(name,), bucket=Bucket.TOTAL)
        page = read_groups(query, query, Listing(), seconds=5)
        assert told(page.now) == sums_of(in_sight(recorded, query))
        assert not any(NAMES in group.key for group in page.groups)
    query = UsageQuery.for_dates(acme, MARCH, LAST, bucket=Bucket.TOTAL)
    (searches,) = read_units(query, seconds=5).units
    assert searches.quantity == 2 * len(in_sight(recorded, query))


def test_nobody_makes_a_query_with_another_scope(acme: Organization) -> None:
    acme.scope = Scope.of(PROJECT)
    with pytest.raises(TypeError):
        UsageQuery.for_dates(acme, FIRST, LAST, scope=EVERYTHING)
    assert UsageQuery.for_dates(acme, FIRST, LAST) != UsageQuery.for_dates(
        Organization.objects.get(pk=acme.pk), FIRST, LAST
    )


# ------------------------------------------------------------------ every address

RANGE = {"range": "custom", "from": str(FIRST), "to": str(LAST)}
LOGGED = {"range": "custom", "from": str(MARCH), "to": str(LAST)}
ASKED: list[dict[str, Any]] = [
    {},
    RANGE,
    {**RANGE, "by": "project", "compare": "before"},
    {**LOGGED, "by": "project", "subgroup": "user", "top": "5", "compare": "before"},
    {**LOGGED, "by": "key", "measure": "p95"},
    {**LOGGED, "project": "hidden-project"},
    {**LOGGED, "project": ["hidden-project", "alpha"], "by": "user"},
    {**LOGGED, "not_project": "alpha", "by": "model"},
    {**LOGGED, "user": "hidden-user", "by": "subject"},
    {**LOGGED, "key": "usage_ffffffff"},
    {**LOGGED, "only": "project:hidden-project", "bucket": "week"},
    {**LOGGED, "set": "abcdefabcdef"},
    {"range": "custom", "from": "2025-05-01", "to": "2025-05-31"},
    {**LOGGED, "show": ["user", "project", "key", "model"], "status": "unpriced", "sort": "cost"},
    {**LOGGED, "by": "model", "compare": "dates", "compare_from": str(FIRST), "compare_to": str(FEBRUARY)},
]
# What some addresses are asked, too.
MORE: dict[str, list[dict[str, Any]]] = {
    "o/<slug:slug>/values/": [
        {**LOGGED, "add": name, "value": typed} for name in ("project", "user", "key") for typed in ("", "hid")
    ],
    "o/<slug:slug>/find/": [{**RANGE, "q": typed} for typed in ("hidden", "hidden-2025-03-10T10:00Z-u-1", "u-", "n")],
    "o/<slug:slug>/groups/": [{**RANGE, "by": "user", "find": "hid"}, {**RANGE, "by": "key", "find": "hid"}],
    "o/<slug:slug>/subgroups/": [
        {**LOGGED, "by": "project", "subgroup": "user", "project": each} for each in ("alpha", "nothing")
    ],
    "o/<slug:slug>/changes/within/": [{**LOGGED, "of": "project", "project": each} for each in ("alpha", "nothing")],
}
NUMBERS = tuple(
    f"o/<slug:slug>/{name}"
    for name in ("", "changes/", "calls/", "groups/", "calls.csv", "focus.csv", "usage.csv", "usage.xlsx", "usage.html")
)


def text_of(response: Any) -> str:
    """All that was sent, unpacked."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            content = b"\n".join(packed.read(name) for name in packed.namelist())
    return content.decode() + str(response.headers)


def echoes(asked: dict[str, Any]) -> Iterator[str]:
    for values in asked.values():
        yield from [values] if isinstance(values, str) else values


def check_nothing_hidden(response: Any, asked: dict[str, Any], where: str) -> None:
    body = text_of(response)
    for typed in sorted(echoes(asked), key=len, reverse=True):
        for part in (typed, typed.partition(":")[2]):
            body = body.replace(part, "") if part and NAMES in part else body
    assert not re.search(f"(?:Calls of|rolled up:) [^.<]*{OTHERS}", body), where
    assert not re.search('usage begins|usage_begins": "|latest with usage|No usage yet', body), where
    found = HIDDEN.search(body)
    assert found is None, f"{where}: {body[found.start() - 60 : found.end()]}"
    for number in UsageLog.objects.filter(project="hidden-project").values_list("pk", flat=True):
        assert f"/calls/{number}/" not in body, where


@pytest.fixture
def bob(scene: Organization) -> User:
    return limit("bob@example.com", scene, PROJECT)


def test_no_address_tells_what_is_out_of_sight(client: Client, bob: User, scene: Organization) -> None:
    client.force_login(bob)
    other = make_organization("other")
    Membership.objects.create(user=bob, organization=other, role=Role.OWNER)  # so that there is a page to choose on
    for route in ADDRESSES:
        for asked in [*(ASKED if route in NUMBERS else ASKED[:2]), *MORE.get(route, [])]:
            where = f"{address(route)}?{urlencode(asked, doseq=True)}"
            response = client.get(where, headers={"Accept-Encoding": ""})
            assert response.status_code < 500, where
            check_nothing_hidden(response, asked, where)
            if route in NUMBERS and asked.get("from") == str(MARCH) and "set" not in asked:
                assert response.status_code == 200, where


# Of a day on which only others had usage: by hour, and what its aggregates do not hold.
DAY_OF_OTHERS = {"range": "custom", "from": str(OTHERS), "to": str(OTHERS)}
ASKED_OF_IT: list[dict[str, Any]] = [
    {**DAY_OF_OTHERS, **more}
    for more in (
        {"bucket": "hour"},
        {"bucket": "day", "by": "subject", "compare": "before"},
        {"by": "key", "measure": "p95"},
        {"by": "project", "subgroup": "subject"},
        {"project": "hidden-project"},
    )
]
VARIES = re.compile(
    'name="csrfmiddlewaretoken" value="[^"]*"|/calls/[0-9]+/|data-call="[0-9]+"|[0-9]{2}(?::[0-9]{2}){1,2}'
    '|<li><a href="/o/[a-z]*/"[^>]*>.*</a></li>'  # the other one is a choice away
)


@pytest.mark.parametrize("number", [0, 1])
def test_whether_others_had_usage_shows_in_no_answer(client: Client, scene: Organization, number: int) -> None:
    limits = [PROJECT, {"project": ["alpha"], "user": ["u-1"]}][number]
    bob, places = limit("bob@example.com", scene, limits), [scene, Organization.objects.get(slug="twin")]
    Membership.objects.create(user=bob, organization=places[1], role=Role.ANALYST, limited_to=limits)
    secrets = {each: keys.create(each, "report", None, Kind.READ, limits=limits)[1] for each in places}
    client.force_login(bob)

    def answered(place: Organization, path: str, asked: dict[str, Any]) -> list[str]:
        headers = {"Accept-Encoding": "", "Authorization": f"Bearer {secrets[place].text}"}
        response = client.get(f"{path}?{urlencode(asked, doseq=True)}", headers=headers)
        said = VARIES.sub("", text_of(response).removesuffix(str(response.headers)))
        return [str(response.status_code), *said.replace(place.name, "").replace(place.slug, "").split("\n")]

    paths = [*map(address, NUMBERS), "/api/v1/usage", "/api/v1/units"]
    for path, asked in share([*product(paths, [RANGE, ASKED[3], *ASKED_OF_IT])], number, 2):
        of_acme, of_twin = (answered(each, path.replace("acme", each.slug), asked) for each in places)
        assert of_acme == of_twin, f"{path}?{urlencode(asked, doseq=True)}"


def test_calls_out_of_sight_are_not_found_by_their_numbers(client: Client, bob: User, scene: Organization) -> None:
    client.force_login(bob)
    for call in UsageLog.objects.filter(organization=scene):
        response = client.get(f"/o/acme/calls/{call.pk}/?{urlencode(LOGGED)}")
        assert response.status_code == (200 if call.project == "alpha" else 404)
        check_nothing_hidden(response, {}, str(call.pk))


def test_own_pages_have_the_numbers_in_sight(client: Client, bob: User, recorded: list[Call]) -> None:
    client.force_login(bob)
    alpha = [call for call in recorded if call.project == "alpha" and call.timestamp.date() <= LAST]
    calls, _, cost, _ = sums_of(alpha)

    page = client.get(f"/o/acme/?{urlencode(RANGE)}").content.decode()
    rows = text_of(client.get(f"/o/acme/calls.csv?{urlencode(LOGGED)}", headers={"Accept-Encoding": ""}))

    assert f"{calls:,} calls" in page
    assert f"${cost:f}" in page or f"{cost.normalize():f}" in page
    assert "Only project" in page
    assert rows.count("plain-") == len([call for call in alpha if call.timestamp.date() >= MARCH])


def test_a_key_reads_what_it_is_limited_to(client: Client, scene: Organization, recorded: list[Call]) -> None:
    _, secret = keys.create(scene, "report", None, Kind.READ, limits=PROJECT)
    headers = {"Authorization": f"Bearer {secret.text}"}
    for route in ("/api/v1/usage", "/api/v1/units"):
        for asked in ASKED[:13]:
            response = client.get(f"{route}?{urlencode(asked, doseq=True)}", headers=headers)
            assert response.status_code in (200, 400, 422)
            check_nothing_hidden(response, asked, f"{route} {asked}")
    for route in ("/api/v1/notes", "/api/v1/arrivals"):
        refused = client.get(route, headers=headers)
        assert refused.status_code == 403
        assert "project" in refused.json()["detail"]
    answer = client.get(f"/api/v1/usage?{urlencode({**RANGE, 'by': 'model'})}", headers=headers).json()
    alpha = [call for call in recorded if call.project == "alpha" and call.timestamp.date() <= LAST]
    assert (answer["totals"]["calls"], Decimal(answer["totals"]["cost"])) == (len(alpha), sums_of(alpha)[2])
    assert sum(row["calls"] for row in answer["rows"]) == len(alpha)
    assert answer["limited_to"] == PROJECT


def test_a_cursor_of_another_scope_is_none(client: Client, scene: Organization) -> None:
    whole, part = (keys.create(scene, "report", None, Kind.READ, limits=limits)[1].text for limits in ({}, PROJECT))
    asked = urlencode({**LOGGED, "by": "user", "limit": 1})

    def ask(secret: str, query: str) -> Any:
        return client.get(f"/api/v1/usage?{query}", headers={"Authorization": f"Bearer {secret}"})

    cursor = ask(whole, asked).json()["next"]
    assert ask(part, f"{asked}&{urlencode({'cursor': cursor})}").status_code == 400


def test_long_filters_are_found_again_by_who_kept_them(client: Client, bob: User, scene: Organization) -> None:
    client.force_login(bob)
    many = {**LOGGED, "user": [f"user-{number}-{'x' * 60}" for number in range(40)]}
    page = client.get(f"/o/acme/?{urlencode(many, doseq=True)}").content.decode()
    key = re.findall(r"[?&;]set=([0-9a-f]+)", page)[0]

    assert "no longer kept" not in client.get(f"/o/acme/?set={key}").content.decode()
    client.force_login(User.objects.get(email="alice@example.com"))
    assert "no longer kept" in client.get(f"/o/acme/?set={key}").content.decode()


# ------------------------------------------------------------------ who is limited, and by whom


def test_only_who_sees_can_be_limited(db: None, acme: Organization) -> None:
    users = {role: make_member(f"{role.value}@example.com", acme, role) for role in Role}
    for role in (Role.ANALYST, Role.VIEWER):
        Membership.objects.filter(user=users[role]).update(limited_to=PROJECT)
    for role in (Role.OWNER, Role.ADMIN):
        with pytest.raises(IntegrityError), transaction.atomic():
            Membership.objects.filter(user=users[role]).update(limited_to=PROJECT)


def test_limits_that_cannot_be_read_show_nothing(acme: Organization, call: MakeCall) -> None:
    record(acme, [call("2025-03-01T12:00Z", cost="1", project="alpha")])
    bob = limit("bob@example.com", acme, {"project": []})
    organization = membership_for(bob, "acme").organization
    query = UsageQuery.for_dates(organization, FIRST, LAST, bucket=Bucket.TOTAL)
    assert read([query])[query].totals.calls == 0

    Membership.objects.filter(user=bob).update(limited_to={"team": ["alpha"]})
    with pytest.raises(ValueError, match="team"):
        membership_for(bob, "acme")


def test_a_name_that_is_replaced_is_still_in_sight(acme: Organization) -> None:
    bob = limit("bob@example.com", acme, {"user": ["u-1", "u-10"], "project": ["u-1"]})
    key, _ = keys.create(acme, "report", None, Kind.READ, limits={"user": ["u-1"]})

    found = replace_elsewhere(acme, "u-1", "gone", apply=True)

    assert (found["memberships"], found["API keys"]) == (1, 1)
    assert Membership.objects.get(user=bob).limited_to == {"user": ["gone", "u-10"], "project": ["u-1"]}
    key.refresh_from_db()
    assert key.limited_to == {"user": ["gone"]}


def test_a_key_that_is_rotated_stays_limited(acme: Organization, alice: User) -> None:
    key, _ = keys.create(acme, "report", alice, Kind.READ, limits=PROJECT)
    _, made = keys.rotate(acme, key.pk, alice)
    assert isinstance(made, Secret)
    assert key_for(made.text, Kind.READ).organization.scope == Scope.of(PROJECT)
