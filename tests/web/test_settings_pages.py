"""The settings of an organization: its name, slug, time zone and removal; and new organizations, which staff make."""

import re
from typing import Any

import pytest
from django.db import DataError
from django.test import Client
from django_q.models import OrmQ

from aggregates import record as record_call
from aggregates.accounts import organizations
from aggregates.accounts.organizations import SlugTaken
from aggregates.models import (
    AuditEntry,
    Event,
    FormerSlug,
    Invitation,
    Membership,
    Organization,
    Role,
    UsageDay,
    UsageLog,
    User,
)
from aggregates.ops import own_tasks, time_zones
from tests.fixtures import make_member, make_organization

URL = "/o/acme/settings/"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_name_weekday_and_month_are_saved(as_alice: Client, acme: Organization) -> None:
    form = {"form": "general", "name": " Acme  Ltd. ", "first_weekday": "7", "first_month": "4"}
    assert "Saved." in as_alice.post(URL, form, follow=True).content.decode()

    acme.refresh_from_db()
    assert (acme.name, acme.first_weekday, acme.first_month) == ("Acme Ltd.", 7, 4)
    wrong = as_alice.post(URL, {**form, "name": "", "first_month": "13"}).content.decode()
    assert "This field is required." in wrong
    assert "Select a valid choice. 13" in wrong
    acme.refresh_from_db()
    assert acme.name == "Acme Ltd."


def test_links_with_the_former_slug_lead_members_on(
    as_alice: Client, acme: Organization, bob: User, charlie: User
) -> None:
    page = as_alice.post(URL, {"form": "slug", "slug": "acme-2"}, follow=True)
    assert page.redirect_chain == [("/o/acme-2/settings/", 302)]

    led = as_alice.get("/o/acme/keys/?range=7d&user=a%20b")
    assert (led.status_code, led["Location"]) == (307, "/o/acme-2/keys/?range=7d&user=a%20b")
    posted = as_alice.post("/o/acme/notes/", {"first": "2025-07-14", "text": "Launch"}, follow=True)
    assert posted.redirect_chain == [("/o/acme-2/notes/", 307), ("/o/acme-2/notes/", 302)]
    assert "Launch" in posted.content.decode()
    stranger = Client()
    stranger.force_login(charlie)
    assert stranger.get("/o/acme/").status_code == 404
    Membership.objects.filter(user=bob).delete()
    stranger.force_login(bob)
    assert stranger.get("/o/acme/").status_code == 404
    assert Client().get("/o/acme/")["Location"].startswith("/login/")


def test_a_slug_that_was_anothers_is_refused_and_the_own_one_comes_back(as_alice: Client, acme: Organization) -> None:
    make_organization("other")
    organizations.change_slug(acme, "acme-2")

    refused = as_alice.post("/o/acme-2/settings/", {"form": "slug", "slug": "other"}).content.decode()
    assert "Organization with this Slug already exists." in refused
    with pytest.raises(SlugTaken):
        organizations.create(Organization(slug="acme", name="Another"), None)
    with pytest.raises(SlugTaken):
        organizations.change_slug(Organization.objects.get(slug="other"), "acme")
    organizations.change_slug(acme, "acme")
    assert list(FormerSlug.objects.values_list("slug", flat=True)) == ["acme-2"]


def test_programs_go_on_by_the_former_slug(acme: Organization) -> None:
    organizations.change_slug(acme, "acme-2")

    assert record_call("acme", model="gpt-5", input_tokens=1)
    assert UsageLog.objects.get().organization == acme


def test_another_time_zone_is_a_task(as_alice: Client, acme: Organization) -> None:
    unsure = as_alice.post(URL, {"form": "time_zone", "time_zone": "Europe/Berlin"}).content.decode()
    assert "Say that the days are to be cut anew." in unsure
    wrong = as_alice.post(URL, {"form": "time_zone", "time_zone": "Mars/Base", "sure": "on"}).content.decode()
    assert "is no IANA time zone" in wrong
    assert not OrmQ.objects.exists()

    page = as_alice.post(URL, {"form": "time_zone", "time_zone": "Europe/Berlin", "sure": "on"}, follow=True)

    assert "The days are being cut in Europe/Berlin." in page.content.decode()
    acme.refresh_from_db()
    assert (acme.time_zone, acme.wanted_time_zone) == ("UTC", "Europe/Berlin")
    (queued,) = OrmQ.objects.all()
    assert own_tasks.find(queued.task["func"])() == "acme: days cut in Europe/Berlin"
    assert AuditEntry.objects.get(event=Event.ZONE_CHANGED).user_id == User.objects.get(email="alice@example.com").pk
    acme.refresh_from_db()
    assert (acme.time_zone, acme.wanted_time_zone) == ("Europe/Berlin", "")
    OrmQ.objects.all().delete()


def test_a_zone_that_cannot_be_is_said_in_words(as_alice: Client, acme: Organization) -> None:
    Organization.objects.update(log_from="2025-07-02", wanted_time_zone="Europe/Berlin")
    UsageDay.objects.create(
        organization=acme, date="2025-07-01", starts_at="2025-07-01T00:00Z", ends_at="2025-07-02T00:00Z"
    )

    assert time_zones.change_time_zones().startswith("acme: The time zone stays UTC")

    assert "The time zone stays UTC" in as_alice.get(URL).content.decode()
    assert time_zones.change_time_zones() == "nothing to do"


def test_the_zone_that_there_is_cuts_no_days(as_alice: Client, acme: Organization) -> None:
    page = as_alice.post(URL, {"form": "time_zone", "time_zone": "UTC", "sure": "on"}, follow=True)
    assert "The days stay as they are cut." in page.content.decode()
    assert not OrmQ.objects.exists()


def test_what_one_organization_fails_of_keeps_none_from_its_zone(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_organization("beta")
    Organization.objects.update(wanted_time_zone="Europe/Berlin")

    def fails_for_acme(organization: Organization, *how: Any) -> None:
        if organization == acme:
            raise DataError("a value is out of range")
        cut(organization, *how)

    cut = time_zones.change_time_zone
    monkeypatch.setattr(time_zones, "change_time_zone", fails_for_acme)
    with pytest.raises(time_zones.ZonesFailed, match="acme: DataError: a value is out of range; beta: days cut in"):
        time_zones.change_time_zones()
    assert list(Organization.objects.order_by("slug").values_list("time_zone", "wanted_time_zone")) == [
        ("UTC", "Europe/Berlin"),
        ("Europe/Berlin", ""),
    ]


def test_only_an_owner_removes_the_organization_by_its_slug(as_alice: Client, acme: Organization) -> None:
    url = "/o/acme/data/"
    admin = Client()
    admin.force_login(make_member("bob@example.com", acme, Role.ADMIN))
    assert "Remove for ever" not in admin.get(url).content.decode()
    assert admin.post(url, {"slug": "acme"}).status_code == 404

    assert "Expected acme. Nothing was removed." in as_alice.post(url, {"slug": "Acme"}).content.decode()
    assert as_alice.post(url, {"slug": "acme"})["Location"] == "/"
    acme.refresh_from_db()
    assert acme.removal_asked_at
    assert as_alice.get("/o/acme/").status_code == 404
    OrmQ.objects.all().delete()


NEW = {"name": "New", "slug": "new", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize("owner", ["", "alice@example.com", "bob@example.com"])
def test_staff_make_an_organization(client: Client, staff: User, alice: User, owner: str) -> None:
    client.force_login(staff)
    page = client.post("/platform/organizations/new/", {**NEW, "owner": owner})

    made = Organization.objects.get(slug="new")
    owners = [member.user.email for member in made.memberships.filter(role=Role.OWNER)]
    assert made.time_zone == "Europe/Berlin"
    if owner == "bob@example.com":  # has no account yet
        (link,) = set(re.findall(r"http://testserver(/join/[\w-]{43}/)", page.content.decode()))
        assert owners == []
        assert (Invitation.objects.get().email, Client().get(link).status_code) == (owner, 302)
    else:
        assert owners == [owner or "staff@example.com"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"slug": "acme"}, "already exists"),
        ({"slug": "a b"}, "Slug: Enter a valid"),
        ({"time_zone": "Mars/Base"}, "is no IANA time zone"),
        ({"owner": "nobody"}, "Enter a valid email address."),
        ({"owner": f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.com"}, "at most 254 characters"),
        ({"name": ""}, "Name: This field is required."),
    ],
)
def test_an_organization_that_cannot_be_is_not_made(
    client: Client, staff: User, acme: Organization, wrong: dict[str, Any], said: str
) -> None:
    client.force_login(staff)

    page = client.post("/platform/organizations/new/", {**NEW, **wrong}).content.decode()

    assert said in page
    assert Organization.objects.count() == 1
