"""Removing an organization: all that it has goes, step by step, and nothing of anybody else's."""

import logging
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models, transaction
from django_q.models import OrmQ

from aggregates.accounts import invitations, keys
from aggregates.accounts.access import NoAccess, membership_for, organizations_of
from aggregates.db import clock
from aggregates.db.locks import Busy
from aggregates.domain.calls import InvalidCall
from aggregates.ingest import record
from aggregates.models import (
    CallReport,
    DailyAggregate,
    DayNote,
    Discount,
    FileChunk,
    FileImport,
    FormerCost,
    FormerSlug,
    HourChunk,
    KeptReason,
    Organization,
    PriceOverride,
    Pseudonym,
    Repricing,
    RequestCount,
    Role,
    SavedPreset,
    SavedView,
    StaleDay,
    StoredSelection,
    UsageDay,
    UsageLog,
    UsagePeriod,
)
from aggregates.ops import removals
from aggregates.ops.tasks import nightly, repair
from aggregates.rollup import removal
from aggregates.rollup.protocol import roll_up
from tests.fixtures import arrive
from tests.patience import PATIENCE
from tests.processes import run_on_terminal
from tests.threads import in_a_thread

TENANTS = [
    model
    for model in apps.get_app_config("aggregates").get_models()
    if model._meta.managed
    and any(field.related_model in (Organization, *(FileImport, keys.ApiKey)) for field in model._meta.fields)
]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("remove_organization", *arguments, stdout=out)
    return out.getvalue()


def path_of(model: type[models.Model]) -> str:
    names = {field.name for field in model._meta.fields}
    if "organization" in names:
        return "organization"
    return "file__organization" if "file" in names else "api_key__organization"


def rows_of(organization: Organization) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that are the organization's, and itself."""
    found = {model._meta.label: model.objects.filter(**{path_of(model): organization}) for model in TENANTS}
    found["itself"] = Organization.objects.filter(pk=organization.pk)
    return {label: sorted(rows.order_by().values(), key=repr) for label, rows in found.items()}


def fill(organization: Organization, call: Any, user: Any) -> None:
    """Something of each kind that an organization can have."""
    record(
        organization,
        [
            call(f"2025-{month:02}-{day:02}T10:00Z", cost="1.5", user_id=f"u{day}", latency_ms=1200)
            for month in (3, 4)
            for day in (1, 9)
        ],
    )
    roll_up()
    UsageDay.objects.filter(organization=organization, date="2025-04-09").update(
        kept_at=clock.now(), kept_reason=KeptReason.PARTITION
    )
    HourChunk.objects.create(
        organization=organization, date="2025-04-01", grain="hour", part=0, hour=[10], total_calls=[1]
    )
    arrive(organization)
    key, _ = keys.create(organization, "ours", user)
    RequestCount.objects.create(api_key=key, minute=clock.now(), requests=1)
    now = clock.now()
    span = {"span": "s", "scope": "", "trace": "", "parent": "", "starts_at": now, "ends_at": now, "is_log": False}
    texts = dict.fromkeys(("response_id", "user_id", "operation", "project"), "")
    CallReport.objects.create(organization=organization, **span, **texts)
    file = FileImport.objects.create(organization=organization, name="calls.csv", size=3, created_by=user)
    FileChunk.objects.create(file=file, number=0, data=b"abc")
    PriceOverride.objects.create(organization=organization, pattern="o*", input=1, output=2, created_by=user)
    Discount.objects.create(organization=organization, provider="openai", percent=15, created_by=user)
    repricing = Repricing.objects.create(organization=organization, pattern="o*", created_by=user, state="done")
    former = {"cost_source": "none", "new_source": "override", "new_cost": 1}
    FormerCost.objects.create(organization=organization, repricing=repricing, call=1, timestamp=now, **former)
    SavedPreset.objects.create(organization=organization, name="mine", paths={}, values={})
    StoredSelection.objects.create(organization=organization, key="0" * 24, filters=[], excluded=[["user", "u1"]])
    SavedView.objects.create(organization=organization, name="mine", parameters={})
    DayNote.objects.create(organization=organization, first="2025-03-01", text="launch")
    Pseudonym.objects.create(organization=organization, name_hash="0" * 64, pseudonym="user-1")
    FormerSlug.objects.create(organization=organization, slug=f"{organization.slug}-before")
    invitations.invite(user.memberships.get(), "bob@example.com", Role.VIEWER)


@pytest.fixture
def used(acme, other, alice, charlie, call) -> Organization:
    fill(acme, call, alice)
    fill(other, call, charlie)
    for organization in (acme, other):
        record(organization, [call("2025-03-01T11:00Z")])  # late
    return acme


def test_all_that_it_has_goes_and_nothing_of_its_neighbours(used, other, alice, caplog):
    assert [label for label, rows in rows_of(used).items() if not rows] == []
    before = rows_of(other)

    with caplog.at_level(logging.WARNING):
        said = run("acme", "--noinput")

    assert said.startswith("Removed Acme, with 5 rows of its log.\n")
    assert "backups" in said
    assert [label for label, rows in rows_of(used).items() if rows] == []
    assert rows_of(other) == before
    assert "The removal of the organization acme was asked for." in caplog.messages
    assert type(alice).objects.filter(pk=alice.pk).exists()
    with pytest.raises(CommandError, match="There is no organization “acme”"):
        run("acme", "--noinput")


@pytest.mark.parametrize("batch", [1, 2])
def test_it_goes_in_batches(used, other, call, monkeypatch, batch):
    monkeypatch.setattr(removal, "BATCH", batch)
    monkeypatch.setattr(removal, "BATCHES", [(model, path, batch) for model, path, _ in removal.BATCHES])
    record(used, [call("2025-03-01T10:00Z", request_id=f"same-{number}") for number in range(5)])
    removal.ask(used)

    deleted = [rows for rows in removal.steps(used) if rows]

    assert sum(deleted) == 10
    assert len(deleted) > 1
    assert not UsageLog.objects.filter(organization=used).exists()


def test_it_goes_on_wherever_it_was_interrupted(used, other, monkeypatch):
    monkeypatch.setattr(removal, "BATCH", 1)
    before = rows_of(other)
    removal.ask(used)
    interrupted = 0
    while Organization.objects.filter(pk=used.pk).exists():
        going = removal.steps(Organization.objects.get(pk=used.pk))
        next(going)
        going.close()
        interrupted += 1
        assert rows_of(other) == before

    assert interrupted > 10
    assert [label for label, rows in rows_of(used).items() if rows] == []


def test_what_would_record_for_it_is_refused_in_words(used, alice, call, client):
    key, secret = keys.create(used, "theirs", alice)
    removal.ask(used)

    answer = client.post("/api/v1/usage", "{}", "application/json", headers={"authorization": f"Bearer {secret.text}"})
    assert answer.status_code == 403
    assert answer.json()["detail"] == ("The organization acme is being removed: nothing is recorded for it any longer.")
    with pytest.raises(InvalidCall, match="the organization acme is being removed"):
        record(used, [call("2025-03-01T10:00Z")])
    with pytest.raises(CommandError, match="acme is being removed: manage.py remove_organization acme goes on"):
        call_command("create_api_key", "acme", name="more")
    with pytest.raises(NoAccess):
        membership_for(alice, "acme")
    assert organizations_of(alice) == []
    sum(removal.steps(used))
    with pytest.raises(InvalidCall, match="the organization acme was removed"):
        record(used, [call("2025-03-01T10:00Z")])


def test_whoever_saves_it_as_it_was_does_not_take_the_removal_back(used):
    stale = Organization.objects.get(pk=used.pk)
    removal.ask(used)

    stale.save()

    assert Organization.objects.get(pk=used.pk).removal_asked_at is not None


def test_the_sums_of_kept_days_go_with_a_removal_alone(used):
    kept = UsageDay.objects.kept().filter(organization=used)
    with pytest.raises(DatabaseError, match="they are deleted with their organization alone"), transaction.atomic():
        kept.delete()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM aggregates_usageday WHERE organization_id = %s", [used.pk])
    with pytest.raises(ValueError, match="Nobody asked"):
        sum(removal.steps(used))
    assert kept.exists()

    removal.remove(used)

    assert not UsageDay.objects.filter(organization=used).exists()


@pytest.mark.django_db(transaction=True)
def test_roll_ups_and_repairs_leave_it_alone_meanwhile(used, other):
    roll_up()
    removal.ask(used)
    going = removal.steps(used)
    next(going)  # one of its days is gone, and its calls are not

    for task in (nightly, repair):
        task()
        days = set(UsageDay.objects.filter(organization=used).values_list("date", flat=True))
        assert len(days) == 3
        assert not StaleDay.objects.filter(organization=other).exists()
    roll_up(only=[used.pk], force=True)
    assert DailyAggregate.objects.filter(organization=used).count() == 3

    sum(going)
    assert not Organization.objects.filter(pk=used.pk).exists()
    assert UsagePeriod.objects.filter(organization=other).exists()


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_those_who_record_and_they_lose_nothing_silently(used, call, monkeypatch):
    monkeypatch.setattr(removal, "PATIENCE", "50ms")
    monkeypatch.setattr(removal, "TRIES", 2)
    busy: list[type[Exception]] = []

    def try_it() -> None:
        try:
            removal.remove(Organization.objects.get(pk=used.pk))
        except Busy as error:
            busy.append(type(error))

    with transaction.atomic():
        record(used, [call("2025-04-01T12:00Z")])  # of a month that has its partition
        in_a_thread(try_it).join(PATIENCE)
        assert busy == [Busy]
    assert UsageDay.objects.filter(organization=used).count() == 4  # nothing is gone yet

    assert removal.remove(Organization.objects.get(pk=used.pk)) == 6


@pytest.mark.django_db(transaction=True)
def test_a_task_does_a_while_of_it_and_the_next_ones_the_rest(used, other, monkeypatch):
    monkeypatch.setattr(removals, "SECONDS", -1.0)
    removals.request(used)
    assert removals.remove_organizations() == "acme goes step by step"
    assert [task.func() for task in OrmQ.objects.all()] == [removals.TASK] * 2

    monkeypatch.setattr(removals, "SECONDS", 60.0)
    assert removals.remove_organizations() == "acme removed"
    assert removals.remove_organizations() == "nothing removed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("typed", "left"), [("acme", 0), ("yes", 1)])
def test_its_slug_is_asked_for(acme, call, typed, left):
    record(acme, [call("2025-03-01T10:00Z")])

    status, shown = run_on_terminal("remove_organization", "acme", answers=(("type its slug, acme: ", typed),))

    assert status == left, shown
    assert Organization.objects.filter(removal_asked_at=None).count() == left
