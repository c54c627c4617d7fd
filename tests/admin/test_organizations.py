"""An organization with usage: another time zone cuts its days anew, and it is deleted when its slug is typed."""

import threading

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from aggregates.accounts import invitations, keys
from aggregates.ingest import record
from aggregates.models import (
    ApiKey,
    AuditEntry,
    DailyAggregate,
    Invitation,
    Kind,
    Membership,
    Organization,
    Role,
    UsageDay,
)
from aggregates.ops import removals
from aggregates.rollup import recutting
from aggregates.rollup.protocol import roll_up
from tests.patience import PATIENCE
from tests.words import NOT_KEPT

LIST = "/admin/aggregates/organization/"


def form(organization: Organization, **changes: str) -> dict[str, str]:
    fields = {"slug": organization.slug, "name": organization.name, "time_zone": organization.time_zone}
    fields |= {"first_weekday": str(organization.first_weekday), "first_month": str(organization.first_month)}
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


def test_another_time_zone_cuts_the_days_of_all_usage_anew(acme, as_staff, call):
    record(acme, [call("2025-03-01T20:00Z")])
    roll_up()

    assert save(as_staff, acme, name="Acme Ltd.", time_zone="Asia/Kolkata").status_code == 302

    acme.refresh_from_db()
    assert (acme.name, acme.time_zone) == ("Acme Ltd.", "Asia/Kolkata")
    assert not UsageDay.objects.exclude(rolled_through=None).exists()
    roll_up()
    assert str(DailyAggregate.objects.get().date) == "2025-03-02"


def test_with_a_wrong_member_the_time_zone_stays(acme, as_staff, call):
    record(acme, [call("2025-03-01T20:00Z")])
    members = {"memberships-TOTAL_FORMS": "1", "memberships-0-user": "99999", "memberships-0-role": "viewer"}

    assert save(as_staff, acme, time_zone="Asia/Kolkata", **members).status_code == 200

    acme.refresh_from_db()
    assert acme.time_zone == "UTC"


def test_where_old_calls_are_gone_the_zone_stays_and_the_rest_is_saved(acme, as_staff, call):
    record(acme, [call("2025-03-01T20:00Z")])
    Organization.objects.update(log_from="2025-04-01")

    page = as_staff.post(
        f"{LIST}{acme.pk}/change/", form(acme, name="Acme Ltd.", time_zone="Asia/Kolkata"), follow=True
    ).content.decode()

    acme.refresh_from_db()
    assert (acme.name, acme.time_zone) == ("Acme Ltd.", "UTC")
    assert f"The time zone stays UTC: the calls of days before 2025-04-01 {NOT_KEPT}" in page


@pytest.mark.django_db(transaction=True)
def test_while_somebody_records_for_long_the_zone_stays(acme, as_staff, call, monkeypatch):
    monkeypatch.setattr(recutting, "PATIENCE", "50ms")
    record(acme, [call("2025-03-01T09:00Z")])  # makes the month's partition, which holds up changes of organizations
    pages = []

    def change() -> None:
        try:
            pages.append(as_staff.post(f"{LIST}{acme.pk}/change/", form(acme, time_zone="Asia/Kolkata"), follow=True))
        finally:
            connection.close()

    thread = threading.Thread(target=change)
    with transaction.atomic():
        record(acme, [call("2025-03-01T10:00Z")])
        thread.start()
        thread.join(timeout=PATIENCE)
    assert "The time zone stays: usage is being recorded just now." in pages[0].content.decode()
    acme.refresh_from_db()
    assert acme.time_zone == "UTC"


def test_members_are_added_with_their_role(acme, charlie, as_staff):
    answers = {"memberships-TOTAL_FORMS": "1", "memberships-0-user": str(charlie.pk), "memberships-0-role": "viewer"}

    assert save(as_staff, acme, **answers).status_code == 302

    assert Membership.objects.get(organization=acme, user=charlie).role == "viewer"


def test_an_organization_keeps_an_owner(acme, alice, bob, as_staff):
    owner, analyst = alice.memberships.get(), bob.memberships.get()
    answers = {"memberships-TOTAL_FORMS": "2", "memberships-INITIAL_FORMS": "2"}
    for place, (member, role) in enumerate([(owner, "viewer"), (analyst, "analyst")]):
        answers |= {f"memberships-{place}-id": str(member.pk), f"memberships-{place}-organization": str(acme.pk)}
        answers |= {f"memberships-{place}-user": str(member.user_id), f"memberships-{place}-role": role}

    refused = save(as_staff, acme, **answers)
    assert "An organization that has an owner keeps one." in refused.content.decode()
    answers["memberships-0-DELETE"] = "on"
    assert save(as_staff, acme, **answers).status_code == 200
    assert save(as_staff, acme, **answers | {"memberships-1-role": "owner"}).status_code == 302
    assert [member.user for member in acme.memberships.all()] == [bob]


def test_who_goes_or_gets_another_role_there_leaves_no_key_that_manages(acme, alice, bob, charlie, as_staff):
    place = bob.memberships.get()
    answers = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1"}
    answers |= {"memberships-0-id": str(place.pk), "memberships-0-organization": str(acme.pk)}
    for change in ({"memberships-0-role": "viewer"}, {"memberships-0-role": "admin", "memberships-0-DELETE": "on"}):
        Membership.objects.filter(pk=place.pk).update(role="admin")
        keys.create(acme, "deploy", bob, Kind.MANAGE)
        invitations.invite(Membership.objects.get(pk=place.pk), "", Role.ADMIN)

        assert save(as_staff, acme, **answers, **change, **{"memberships-0-user": str(charlie.pk)}).status_code == 302

        assert not ApiKey.objects.filter(revoked_at=None).exists()
        assert not Invitation.objects.filter(revoked_at=None).exists()
        assert not Membership.objects.filter(organization=acme, user=charlie).exists()  # a place stays its user's
    assert not Membership.objects.filter(pk=place.pk).exists()
    told = AuditEntry.objects.filter(via="admin").order_by("pk").values_list("event", flat=True)
    revoked = ["member.invitation_revoked", "key.revoked"]
    assert [*told] == ["member.changed", *revoked, "member.removed", *revoked]


def test_another_slug_leaves_a_redirect_behind(acme, alice, as_staff, client):
    assert save(as_staff, acme, slug="acme-2").status_code == 302

    client.force_login(alice)
    assert client.get("/o/acme/keys/")["Location"] == "/o/acme-2/keys/"


def test_with_usage_its_slug_is_asked_for_and_its_log_is_not_read(acme, as_staff, call):
    record(acme, [call("2025-03-01T10:00Z")])

    with CaptureQueriesContext(connection) as captured:
        page = as_staff.post(f"{LIST}{acme.pk}/delete/", {"post": "yes", "slug": "acne"}).content.decode()

    assert "Expected acme. Nothing was removed." in page
    assert not [query for query in captured if "aggregates_usagelog" in query["sql"]]
    acme.refresh_from_db()
    assert acme.removal_asked_at is None


def test_once_its_slug_is_typed_the_task_cluster_removes_it(acme, other, as_staff, call):
    for organization in (acme, other):
        record(organization, [call("2025-03-01T10:00Z")])

    assert as_staff.post(f"{LIST}{acme.pk}/delete/", {"slug": "acme"}).status_code == 302

    assert [task.func() for task in OrmQ.objects.all()] == [removals.TASK]
    assert as_staff.post(f"{LIST}{acme.pk}/delete/", {"slug": "acme"}).status_code == 403  # it goes on
    assert as_staff.get(LIST).status_code == as_staff.get(f"{LIST}{acme.pk}/change/").status_code == 200
    assert removals.remove_organizations() == "acme removed"
    assert list(Organization.objects.all()) == [other]


def test_who_may_not_delete_may_not_remove(acme, bob, client, call):
    record(acme, [call("2025-03-01T10:00Z")])
    bob.is_staff = True
    bob.save()
    client.force_login(bob)

    assert client.post(f"{LIST}{acme.pk}/delete/", {"slug": "acme"}).status_code == 403

    acme.refresh_from_db()
    assert acme.removal_asked_at is None


def test_several_at_once_are_not_deleted(acme, as_staff, call):
    record(acme, [call("2025-03-01T10:00Z")])

    as_staff.post(LIST, {"action": "delete_selected", "_selected_action": [acme.pk], "post": "yes"})

    assert Organization.objects.filter(pk=acme.pk).exists()
    assert UsageDay.objects.exists()


def test_an_organization_without_usage_can_be_deleted(acme, alice, as_staff):
    assert as_staff.post(f"{LIST}{acme.pk}/delete/", {"post": "yes"}).status_code == 302

    assert not Organization.objects.filter(pk=acme.pk).exists()
    assert type(alice).objects.filter(pk=alice.pk).exists()


def test_only_what_was_changed_is_written(acme, as_staff):
    """Others may have moved the start of the log since the form was read."""
    with CaptureQueriesContext(connection) as done:
        assert save(as_staff, acme, name="Acme Ltd.").status_code == 302
    (update,) = [query["sql"] for query in done if 'UPDATE "aggregates_organization"' in query["sql"]]
    assert "log_from" not in update
    assert '"name"' in update
    acme.refresh_from_db()
    assert acme.name == "Acme Ltd."
