"""An organization's time zone stays, and it cannot be deleted, as soon as it has usage."""

import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from aggregates.ingest import record
from aggregates.models import Membership, Organization, UsageDay

LIST = "/admin/aggregates/organization/"


def form(organization: Organization, **changes: str) -> dict[str, str]:
    fields = {"slug": organization.slug, "name": organization.name, "time_zone": organization.time_zone}
    members = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return {**fields, **members, **changes}


def save(client, organization: Organization, **changes: str):
    return client.post(f"{LIST}{organization.pk}/change/", form(organization, **changes))


@pytest.fixture
def as_staff(staff, client):
    client.force_login(staff)
    return client


def test_without_usage_the_time_zone_can_be_changed(acme, as_staff):
    assert save(as_staff, acme, time_zone="Asia/Kolkata").status_code == 302

    acme.refresh_from_db()
    assert acme.time_zone == "Asia/Kolkata"


def test_it_has_to_be_a_time_zone(acme, as_staff):
    page = save(as_staff, acme, time_zone="Mars/Olympus")

    assert "is no IANA time zone" in page.content.decode()


def test_with_usage_it_stays_and_the_rest_can_be_changed(acme, as_staff, call):
    record(acme, [call("2025-03-01T10:00Z")])

    assert save(as_staff, acme, name="Acme Ltd.", time_zone="Asia/Kolkata").status_code == 302

    acme.refresh_from_db()
    assert (acme.name, acme.time_zone) == ("Acme Ltd.", "UTC")
    assert 'name="time_zone"' not in as_staff.get(f"{LIST}{acme.pk}/change/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_change_waits_for_who_is_recording_and_is_then_refused(acme, as_staff, call):
    """The page's form was sent before the first call was committed."""
    answers = []

    def change() -> None:
        try:
            answers.append(save(as_staff, acme, time_zone="Asia/Kolkata"))
        finally:
            connection.close()

    thread = threading.Thread(target=change)
    with transaction.atomic():
        record(acme, [call("2025-03-01T10:00Z")])
        thread.start()
        thread.join(timeout=1)
        assert thread.is_alive()
    thread.join(timeout=10)

    assert "The time zone stays: usage was recorded meanwhile" in answers[0].content.decode()
    acme.refresh_from_db()
    assert acme.time_zone == "UTC"


def test_members_are_added_with_their_role(acme, charlie, as_staff):
    answers = {"memberships-TOTAL_FORMS": "1", "memberships-0-user": str(charlie.pk), "memberships-0-role": "viewer"}

    assert save(as_staff, acme, **answers).status_code == 302

    assert Membership.objects.get(organization=acme, user=charlie).role == "viewer"


def test_an_organization_with_usage_is_not_deleted_and_its_log_not_read(acme, as_staff, call):
    record(acme, [call("2025-03-01T10:00Z")])

    with CaptureQueriesContext(connection) as captured:
        refused = as_staff.post(f"{LIST}{acme.pk}/delete/", {"post": "yes"})

    assert refused.status_code == 403
    assert not [query for query in captured if "aggregates_usagelog" in query["sql"]]
    assert "/delete/" not in as_staff.get(f"{LIST}{acme.pk}/change/").content.decode()
    assert Organization.objects.filter(pk=acme.pk).exists()


def test_several_at_once_are_not_deleted(acme, as_staff, call):
    record(acme, [call("2025-03-01T10:00Z")])

    as_staff.post(LIST, {"action": "delete_selected", "_selected_action": [acme.pk], "post": "yes"})

    assert Organization.objects.filter(pk=acme.pk).exists()
    assert UsageDay.objects.exists()


def test_an_organization_without_usage_can_be_deleted(acme, alice, as_staff):
    assert as_staff.post(f"{LIST}{acme.pk}/delete/", {"post": "yes"}).status_code == 302

    assert not Organization.objects.filter(pk=acme.pk).exists()
    assert type(alice).objects.filter(pk=alice.pk).exists()
