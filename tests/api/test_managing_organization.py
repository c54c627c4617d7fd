"""Managing the organization itself with a key."""

from typing import Any

import pytest
from django_q.models import OrmQ

from aggregates.models import AuditEntry, Organization, User
from tests.api.conftest import Manager


def test_its_settings_are_read_and_changed(manage: Manager, acme: Organization, alice: User) -> None:
    before = manage.told("GET", "organization")
    assert before == before | {"slug": "acme", "name": "Acme", "time_zone": "UTC", "first_weekday": 1, "first_month": 1}

    changes = {"name": " The  Acme ", "slug": "the-acme", "first_weekday": 7, "first_month": 4}
    after = manage.told("PATCH", "organization", changes)

    assert after == before | changes | {"name": "The Acme", "former_slugs": ["acme"]}
    assert manage.told("PATCH", "organization", {}) == manage.told("PATCH", "organization", changes) == after
    entries = AuditEntry.objects.filter(event="organization.changed").order_by("pk")
    assert [(entry.after, entry.user_id, entry.via) for entry in entries] == [
        ({"slug": "the-acme"}, alice.pk, "api"),
        ({"name": "The Acme", "first_weekday": 7, "first_month": 4}, alice.pk, "api"),
    ]


def test_another_time_zone_is_asked_for_and_taken_by_the_task_cluster(
    manage: Manager, acme: Organization, alice: User
) -> None:
    answer = manage.told("PATCH", "organization", {"time_zone": "Europe/Berlin"})
    assert (answer["time_zone"], answer["wanted_time_zone"]) == ("UTC", "Europe/Berlin")
    acme.refresh_from_db()
    assert acme.wanted_time_zone_by == alice
    assert OrmQ.objects.count() == 1
    assert manage.told("PATCH", "organization", {"time_zone": "UTC"})["wanted_time_zone"] is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": None}, 422, "name: This field is required."),
        ({"name": "a" * 201}, 422, "name: Ensure this value has at most 200 characters (it has 201)."),
        ({"slug": "a b"}, 422, "slug: Enter a valid “slug”"),
        ({"slug": None}, 422, "slug: This field is required."),
        ({"slug": "other"}, 422, "slug: Organization with this Slug already exists."),
        ({"slug": "before"}, 422, "slug: Another organization had this slug, and links still lead there."),
        ({"first_weekday": 8}, 422, "first_weekday: Select a valid choice. 8 is not one of the available choices."),
        ({"first_month": "4"}, 422, "first_month: Expected a whole number."),
        ({"time_zone": "Mars"}, 422, "time_zone: “Mars” is no IANA time zone, such as Europe/Berlin or UTC."),
        ({"name": "New", "slug": "new", "time_zone": None}, 422, "time_zone: This field is required."),
        ({"created_at": "now"}, 422, "created_at: There is no such field."),
    ],
)
def test_what_cannot_be_changes_nothing(
    manage: Manager, other: Organization, body: dict[str, Any], status: int, words: str
) -> None:
    other.former_slugs.create(slug="before")
    before = manage.told("GET", "organization")

    refused = manage.refused("PATCH", "organization", body)

    assert refused[0] == status
    assert words in refused[1]
    assert manage.told("GET", "organization") == before
    assert not AuditEntry.objects.filter(event="organization.changed").exists()


def test_it_has_no_parameters(manage: Manager) -> None:
    for method in ("GET", "PATCH"):
        assert manage.refused(method, "organization?slug=other", {}) == (400, "There is no parameter “slug”.")
