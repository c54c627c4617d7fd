"""Isolation: every address of the site as nobody, a stranger, in each role, as who was a member or sees a part."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django_q.models import Schedule

from aggregates.db import clock
from aggregates.db.partitions import ensure_months_ahead
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import AuditEntry, Event, Organization, Role, User, Via
from aggregates.web.views import probes
from tests.fixtures import make_member

LOG_IN = "302 /login/"
# Each address outside the admin: what GET answers to nobody, to Charlie (who belongs elsewhere), and to a viewer.
ADDRESSES = {
    "api/": ("200", "200", "200"),
    "api/v1/openapi.json": ("200", "200", "200"),
    "api/v1/usage": ("401", "401", "401"),
    "api/v1/units": ("401", "401", "401"),
    "api/v1/litellm": ("405", "405", "405"),
    "api/v1/arrivals": ("401", "401", "401"),
    "v1/traces": ("405", "405", "405"),
    "v1/logs": ("405", "405", "405"),
    "v1/metrics": ("405", "405", "405"),
    "api/public/otel/v1/traces": ("405", "405", "405"),
    "api/v1/members": ("401", "401", "401"),
    "api/v1/members/<int:number>": ("401", "401", "401"),
    "api/v1/invitations": ("401", "401", "401"),
    "api/v1/invitations/<int:number>": ("401", "401", "401"),
    "api/v1/keys": ("401", "401", "401"),
    "api/v1/keys/<int:number>": ("401", "401", "401"),
    "api/v1/keys/<int:number>/rotate": ("405", "405", "405"),
    "api/v1/prices": ("401", "401", "401"),
    "api/v1/prices/<int:number>": ("401", "401", "401"),
    "api/v1/discounts": ("401", "401", "401"),
    "api/v1/discounts/<int:number>": ("401", "401", "401"),
    "api/v1/published-prices": ("401", "401", "401"),
    "api/v1/past-calls": ("401", "401", "401"),
    "api/v1/repricings": ("401", "401", "401"),
    "api/v1/repricings/<int:number>": ("401", "401", "401"),
    "api/v1/repricings/<int:number>/undo": ("405", "405", "405"),
    "api/v1/organization": ("401", "401", "401"),
    "api/v1/views": ("401", "401", "401"),
    "api/v1/views/<int:number>": ("401", "401", "401"),
    "docs/": ("200", "200", "200"),
    "docs/<path:name>/": ("404", "404", "404"),  # no such document
    "": (LOG_IN, "302 /o/other/", "302 /o/acme/"),
    "login/": ("200", "302 /", "302 /"),
    "login/second-factor/": (LOG_IN, "302 /", "302 /"),  # without a password before
    "login/passkey/": ("200", "302 /", "302 /"),
    "login/with/<slug:provider_id>/": ("404", "302 /", "302 /"),  # no provider is set
    "login/with/<slug:provider_id>/callback/": ("404", "404", "404"),
    "login/with/<slug:organization_slug>/acs/": ("405", "405", "405"),
    "login/with/<slug:organization_slug>/acs/finish/": ("404", "404", "404"),
    "login/with/<slug:organization_slug>/metadata/": ("404", "404", "404"),
    "login/with/<slug:organization_slug>/sls/": ("404", "404", "404"),
    "account/second-factors/": (LOG_IN, "200", "200"),
    "account/second-factors/app/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/second-factors/app/remove/": (LOG_IN, "404", "404"),
    "account/second-factors/passkeys/add/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/second-factors/passkeys/<int:pk>/remove/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/confirm/passkey/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/second-factors/codes/": (LOG_IN, "404", "404"),
    "account/second-factors/codes/new/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/confirm/": (LOG_IN, "200", "200"),
    "account/confirm/code/": (LOG_IN, "302 /account/confirm/", "302 /account/confirm/"),
    "account/email/": (LOG_IN, "200", "200"),
    "account/email/<str:key>/": ("404", "404", "404"),  # no such link
    "account/sessions/": (LOG_IN, "200", "200"),
    "account/sessions/end/": ("405", "405", "405"),
    "account/sessions/<int:number>/end/": ("405", "405", "405"),
    "logout/": ("405", "405", "405"),
    "password/": (LOG_IN, "200", "200"),
    "password/reset/": ("200", "200", "200"),
    "password/reset/sent/": ("200", "200", "200"),
    "password/reset/done/": ("200", "200", "200"),
    "password/reset/<slug:uidb36>/<slug:key>/": ("200", "200", "200"),  # no such link
    "o/<slug:slug>/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/changes/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/changes/within/": (LOG_IN, "404", "400"),
    "o/<slug:slug>/calls/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/calls/<int:number>/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/calls.csv": (LOG_IN, "404", "404"),
    "o/<slug:slug>/focus.csv": (LOG_IN, "404", "404"),
    "o/<slug:slug>/usage.xlsx": (LOG_IN, "404", "404"),
    "o/<slug:slug>/usage.html": (LOG_IN, "404", "404"),
    "o/<slug:slug>/arrivals/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/connect/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/connect/first/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/sample/": ("405", "405", "405"),
    "o/<slug:slug>/sample/remove/": ("405", "405", "405"),
    "o/<slug:slug>/keys/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/keys/<int:number>/rotate/": ("405", "405", "405"),
    "o/<slug:slug>/keys/<int:number>/revoke/": ("405", "405", "405"),
    "o/<slug:slug>/usage.csv": (LOG_IN, "404", "404"),
    "o/<slug:slug>/groups/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/find/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/values/": (LOG_IN, "404", "400"),
    "o/<slug:slug>/subgroups/": (LOG_IN, "404", "400"),
    "o/<slug:slug>/prices/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/prices/discounts/": ("405", "405", "405"),
    "o/<slug:slug>/prices/discounts/<int:number>/remove/": ("405", "405", "405"),
    "o/<slug:slug>/prices/past/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/prices/past/<int:number>/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/prices/past/<int:number>/undo/": ("405", "405", "405"),
    "o/<slug:slug>/prices/<int:number>/remove/": ("405", "405", "405"),
    "o/<slug:slug>/prices/comparison/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/audit/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/audit.csv": (LOG_IN, "404", "404"),
    "o/<slug:slug>/imports/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/imports/<int:number>/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/imports/<int:number>/cancel/": ("405", "405", "405"),
    "api/v1/notes": ("401", "401", "401"),
    "o/<slug:slug>/notes/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/notes/<int:number>/delete/": ("405", "405", "405"),
    "o/<slug:slug>/views/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/views/<int:number>/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/views/<int:number>/save/": ("405", "405", "405"),
    "o/<slug:slug>/views/<int:number>/rename/": ("405", "405", "405"),
    "o/<slug:slug>/views/<int:number>/delete/": ("405", "405", "405"),
    "o/<slug:slug>/settings/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/data/": (LOG_IN, "404", "404"),
    "o/<slug:slug>/members/": (LOG_IN, "404", "200"),
    "o/<slug:slug>/members/leave/": ("405", "405", "405"),
    "o/<slug:slug>/members/<int:number>/role/": ("405", "405", "405"),
    "o/<slug:slug>/members/<int:number>/password/": ("405", "405", "405"),
    "o/<slug:slug>/members/<int:number>/limits/": ("405", "405", "405"),
    "o/<slug:slug>/members/<int:number>/remove/": ("405", "405", "405"),
    "o/<slug:slug>/invitations/<int:number>/resend/": ("405", "405", "405"),
    "o/<slug:slug>/invitations/<int:number>/revoke/": ("405", "405", "405"),
    "first/<str:token>/": ("404", "404", "404"),  # no such link
    "join/": ("404", "404", "404"),
    "join/<str:secret>/": ("404", "404", "404"),  # no such link
    "platform/": (LOG_IN, "404", "404"),
    "platform/organizations/new/": (LOG_IN, "404", "404"),
}
EXPORTS = tuple(f"o/<slug:slug>/{name}" for name in ("calls.csv", "focus.csv", "usage.xlsx", "usage.html", "usage.csv"))
MANAGED = tuple(
    f"o/<slug:slug>/{name}"
    for name in (
        *("settings/", "data/", "keys/", "prices/", "prices/past/", "prices/comparison/", "imports/", "audit/"),
        "audit.csv",
    )
)
# What a role gets to see beyond those before it.
MORE = {"viewer": (), "analyst": EXPORTS, "admin": EXPORTS + MANAGED, "owner": EXPORTS + MANAGED}
# What tells of everybody's usage: not for who sees a part.
WHOLE = (
    "o/<slug:slug>/arrivals/",
    "o/<slug:slug>/connect/",
    "o/<slug:slug>/connect/first/",
    "o/<slug:slug>/notes/",
)
# Who reads every organization sees what analysts do, and is no member: there are two to choose from.
READER = {**dict.fromkeys(EXPORTS, "200"), "": "200", "o/<slug:slug>/members/": "404"}
LEAVE = "o/<slug:slug>/members/leave/"
# Answered before any address is looked up, the same to everybody; metrics without a token, and not from this machine.
PROBES = {"/healthz": "200", "/readyz": "200", "/metrics": "401"}
# The parts of the admin's addresses that are regular expressions, with an address that each matches.
EXPRESSIONS = {r"^(?P<app_label>": "aggregates/", r"(?P<url>.*)$": "nonsense"}
OPEN_ADMIN = {"admin/login/": "302 /login/", "admin/logout/": "302 /admin/"}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


ALL = tuple(routes(get_resolver()))
ADMIN = tuple(route for route in ALL if route.startswith("admin/"))


def address(route: str) -> str:
    """An address for a route: Acme's, or with 1 for every other part that varies."""
    for start, example in EXPRESSIONS.items():
        if start in route:
            return "/" + route[: route.index(start)] + example
    return "/" + re.sub(r"<[^>]+>", "1", route.replace("<slug:slug>", "acme"))


def answer(client: Client, url: str) -> str:
    response = client.get(url)
    if response.streaming:
        b"".join(response.streaming_content)  # a file is in its place until it is sent
    location = response.headers.get("Location", "").split("?")[0]
    return f"{response.status_code} {location}".strip()


def test_every_address_is_in_the_table() -> None:
    assert {route for route in ALL if route not in ADMIN} == set(ADDRESSES)
    assert len(ADMIN) > 20


def test_every_probe_is_in_the_table() -> None:
    assert set(probes.PROBES) == set(PROBES)


@pytest.mark.parametrize("who", ["nobody", "charlie", "staff"])
@pytest.mark.parametrize("path", PROBES)
def test_probes_do_not_ask_who_it_is(
    client: Client, request: pytest.FixtureRequest, db: None, path: str, who: str
) -> None:
    Schedule.objects.update(next_run=clock.now())
    ensure_months_ahead(clock.now())
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))

    assert answer(client, path) == PROBES[path]


@pytest.fixture
def enter(client: Client, acme: Organization, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Come as somebody: in a role, as Charlie, as one who was a member, or whose session ended."""

    def as_one(who: str) -> None:
        match who:
            case "nobody":
                return
            case "charlie":
                client.force_login(request.getfixturevalue("charlie"))
            case "reader":
                User.objects.filter(pk=request.getfixturevalue("charlie").pk).update(reads_all=True)
                client.force_login(User.objects.get(email="charlie@example.com"))
            case "removed" | "ended":
                bob = make_member("bob@example.com", acme, Role.ADMIN)
                client.force_login(bob)
                assert answer(client, "/o/acme/keys/") == "200"
                if who == "removed":
                    bob.memberships.all().delete()
                else:
                    Session.objects.all().delete()
            case "part":
                bob = make_member("bob@example.com", acme, Role.VIEWER)
                bob.memberships.update(limited_to={"project": ["alpha"]})
                client.force_login(bob)
            case _:
                client.force_login(make_member("bob@example.com", acme, Role(who)))

    return as_one


@pytest.mark.parametrize("who", ["nobody", "ended", "charlie", "removed", "part", "reader", *Role.values])
def test_everybody_sees_what_is_theirs(client: Client, enter: Callable[[str], None], who: str) -> None:
    place = {"nobody": 0, "ended": 0, "charlie": 1, "removed": 1}.get(who, 2)
    expected = {route: answers[place] for route, answers in ADDRESSES.items()}
    expected |= dict.fromkeys(MORE.get(who, ()), "200")
    expected |= dict.fromkeys(WHOLE, "404") if who == "part" else {}
    expected |= READER if who == "reader" else {}
    if who == "removed":
        expected[""] = "200"  # and is told that there is no organization
    enter(who)

    assert {route: answer(client, address(route)) for route in ADDRESSES} == expected


@pytest.mark.parametrize("who", ["nobody", "ended", "charlie", "removed", "part", "reader", "viewer"])
def test_who_may_only_look_changes_nothing(client: Client, enter: Callable[[str], None], who: str) -> None:
    enter(who)
    routes = [route for route in ADDRESSES if route.startswith("o/") and (route != LEAVE or who == "reader")]

    answers = {client.post(address(route)).status_code for route in routes}

    assert answers == ({302, 405} if who in ("nobody", "ended") else {404, 405})


@pytest.mark.parametrize("who", ["nobody", "charlie", "bob", "alice"])
def test_the_admin_is_for_staff(client: Client, request: pytest.FixtureRequest, acme: Organization, who: str) -> None:
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))

    answers = {route: answer(client, address(route)) for route in ADMIN}

    expected = OPEN_ADMIN if who == "nobody" else {**OPEN_ADMIN, "admin/login/": "403"}
    assert answers == {route: expected.get(route, "302 /admin/login/") for route in ADMIN}


def test_staff_see_the_platform_but_no_organization(client: Client, acme: Organization, staff: User) -> None:
    client.force_login(staff)

    assert answer(client, reverse("platform")) == "200"
    assert answer(client, reverse("dashboard", args=["acme"])) == "404"
    assert answer(client, reverse("home")) == "302 /platform/"


def test_whatever_a_platform_reader_sees_is_in_the_audit_log(
    client: Client, enter: Callable[[str], None], acme: Organization
) -> None:
    enter("reader")
    visits = AuditEntry.objects.filter(organization=acme, event=Event.READ_BY_PLATFORM)
    for route in (route for route in ADDRESSES if route.startswith("o/")):
        with transaction.atomic():  # each as the first of an hour
            seen = answer(client, address(route)) == "200"
            assert visits.count() == 1 or not seen, route
            transaction.set_rollback(True)

    assert not visits.exists()
    listed = client.get("/").content.decode()
    assert "Acme" in listed
    assert "$" not in listed, "what a list tells of others, no log does"
    reader = User.objects.get(email="charlie@example.com").pk
    past = {"organization": acme, "event": Event.READ_BY_PLATFORM, "via": Via.PAGE, "user_id": reader}
    AuditEntry.objects.create(**past, at=clock.now() - timedelta(minutes=61), keep_until=clock.now())
    for _ in range(2):
        client.get("/o/acme/")
    assert visits.count() == 2
    client.force_login(make_member("alice@example.com", acme))
    page = client.get("/o/acme/audit/?what=data.read").content.decode()
    assert page.count("<b>Read by a platform reader</b>") == 2
    assert page.count(f'href="?who={reader}"') == 2


@pytest.mark.parametrize("query", ["", "?range=7d", "?user=alice", "?range=nonsense"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_stranger_cannot_tell_what_exists(
    client: Client, acme: Organization, charlie: User, query: str, headers: dict[str, str]
) -> None:
    client.force_login(charlie)
    there = client.get(reverse("dashboard", args=["acme"]) + query, headers=headers)
    nowhere = client.get(reverse("dashboard", args=["nowhere"]) + query, headers=headers)

    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert there.status_code == 404


def test_numbers_of_others_are_on_no_page(
    client: Client, acme: Organization, other: Organization, charlie: User, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-07-01T12:00Z", cost="1234.56", user_id="secret-user")])
    record(other, [call("2025-07-01T12:00Z", cost="1", user_id="known-user")])
    client.force_login(charlie)
    url = reverse("dashboard", args=["other"])

    page = client.get(f"{url}?range=custom&from=2025-07-01&to=2025-07-01&by=user").content.decode()
    filtered = client.get(f"{url}?range=custom&from=2025-07-01&to=2025-07-01&user=secret-user").content.decode()

    assert "known-user" in page
    assert "secret-user" not in page
    assert "1,234" not in page + filtered
    assert "No usage with these filters" in filtered
