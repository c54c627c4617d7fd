"""Every page of the admin opens for staff, and for nobody else."""

import re
from decimal import Decimal

import pytest
from django.contrib import admin
from django.urls import reverse
from django_q.models import Schedule, Task
from django_q.tasks import async_task

from aggregates.accounts import invitations, keys, organizations
from aggregates.db import audit, clock
from aggregates.ingest import record
from aggregates.models import Event, Invitation, Membership, Role, UsageLog, User
from aggregates.ops import tasks
from aggregates.pricing.discounts import set_discount
from aggregates.pricing.overrides import set_price
from tests.fixtures import make_member, make_organization

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
MADE_BY_HAND = {"Group", "Organization", "User"}
CHANGED_BY_HAND = {"ApiKey"}  # a part of it


def address(model, page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def inline_parts(page) -> list[str]:
    """What the page's content security policy would stop: scripts, styles and handlers within the page."""
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {"script-src 'self'", "style-src 'self'"} <= set(policy)
    return re.findall(r"<script(?![^>]* src=)[^>]*>|<style|<[^>]+ (?:style|on[a-z]+)=", page.content.decode())


@pytest.fixture(scope="module")
def filled(shared, call):
    """At least one row of everything that the admin lists."""
    from django.contrib.auth.models import Group

    acme = make_organization("acme")
    alice = make_member("alice@example.com", acme)
    audit.write(Event.LOG_IN_FAILED)  # first: of these the admin lists the platform's own
    Group.objects.create(name="operators")
    keys.create(acme, "checkout", alice)
    invitations.invite(alice.memberships.get(), "charlie@example.com", Role.VIEWER)
    organizations.change_slug(acme, "acme-2")
    organizations.change_slug(acme, "acme")
    set_price(acme, "gpt-*", None, None, {"input": 1, "output": 2}, None)
    set_discount(acme, "openai", Decimal("12.5"), None, None, None)
    record(acme, [call("2025-03-01T10:00Z", cost="1.5", user_id="u")])
    tasks.nightly()
    times = {"started": clock.now(), "stopped": clock.now()}
    Task.objects.create(id="1" * 32, name="one", func="f", success=True, result="2 days, 14 rows", **times)
    Task.objects.create(id="2" * 32, name="two", func="f", success=False, result="ValueError", **times)
    Schedule.objects.filter(name="nightly").update(task="1" * 32)
    async_task("math.sqrt", 4)
    return acme


def test_the_tables_of_the_admin():
    assert [model._meta.object_name for model in MODELS] == [
        "ApiKey",
        "AuditEntry",
        "DailyAggregate",
        "DailyBreakdown",
        "Discount",
        "FormerSlug",
        "Invitation",
        "Organization",
        "PriceOverride",
        "RollUpRun",
        "UsageDay",
        "UsageLog",
        "User",
        "Group",
        "Failure",
        "OrmQ",
        "Schedule",
        "Success",
    ]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_lists_and_rows_open(model, filled, staff, client):
    client.force_login(staff)
    row = model._default_manager.first()

    listed = client.get(address(model, "changelist"))
    page = client.get(address(model, "change", row.pk))
    history = client.get(address(model, "history", row.pk))
    assert [listed.status_code, page.status_code, history.status_code] == [200, 200, 200]
    assert str(row) in page.content.decode()
    assert [inline_parts(listed), inline_parts(page)] == [[], []]
    opens = 200 if model._meta.object_name in MADE_BY_HAND else 403
    assert client.get(address(model, "add")).status_code == opens


@pytest.mark.parametrize(
    "model", [m for m in MODELS if m._meta.app_label == "aggregates"], ids=lambda m: m._meta.model_name
)
def test_what_the_site_writes_cannot_be_changed_or_deleted(model, filled, staff, client):
    if model._meta.object_name in MADE_BY_HAND:
        return
    client.force_login(staff)
    row = model.objects.first()

    if model._meta.object_name not in CHANGED_BY_HAND:
        assert client.post(address(model, "change", row.pk), {}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in client.get(address(model, "changelist")).content.decode()
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_members_of_an_organization_are_no_staff(model, alice, client):
    client.force_login(alice)

    page = client.get(address(model, "changelist"))

    assert page.status_code == 302
    assert page.url.startswith("/admin/login/")


ROWS = {
    "FormerSlug": "/o/acme/settings/",
    "Invitation": "/o/acme/members/",
    "ApiKey": "/o/acme/keys/",
    "Discount": "/o/acme/prices/",
    "PriceOverride": "/o/acme/prices/",
    "Organization": "/o/acme/",
    "UsageLog": "/o/acme/calls/",
    "UsageDay": "/o/acme/?range=custom&amp;from=2025-03-01",
    "DailyAggregate": "/o/acme/?range=custom&amp;from=2025-03-01",
}


NOT_FOR_VIEWERS = {"FormerSlug", "ApiKey", "Discount", "PriceOverride"}


@pytest.mark.parametrize("name", ROWS)
def test_rows_lead_to_the_site_those_who_are_let_in_there(name, filled, staff, client):
    model = next(model for model in MODELS if model._meta.object_name == name)
    client.force_login(staff)
    link = f'<a href="{ROWS[name]}'
    for role in (None, Role.VIEWER, Role.OWNER):
        if role:
            Membership.objects.update_or_create(user=staff, organization=filled, defaults={"role": role})
        pages = [client.get(address(model, "change", model.objects.first().pk)).content.decode()]
        if name not in ("UsageLog", "UsageDay", "DailyAggregate"):
            pages.append(client.get(address(model, "changelist")).content.decode())
        is_let_in = role == Role.OWNER or (role == Role.VIEWER and name not in NOT_FOR_VIEWERS)
        assert [link in page for page in pages] == [is_let_in] * len(pages)


def test_digits_are_grouped_and_no_hash_of_a_link_is_shown(filled, staff, client, call):
    record(filled, [call("2025-03-01T11:00Z", cost="1234567.5", input_tokens=7654321)])
    client.force_login(staff)
    page = client.get(address(UsageLog, "changelist")).content.decode()
    assert "7,654,321" in page
    assert "1,234,567.5" in page
    invitation = Invitation.objects.get()
    shown = client.get(address(Invitation, "change", invitation.pk)).content.decode()
    assert "open" in shown
    assert invitation.secret_hash not in shown


def test_staff_log_in_by_e_mail_address_and_see_what_this_is(staff, client):
    assert client.get("/admin/", follow=True).redirect_chain[-1] == ("/login/?next=%2Fadmin%2F", 302)
    answers = {"login": "Staff@Example.com", "password": "correct horse", "next": "/admin/"}

    page = client.post("/login/", answers, follow=True)

    assert page.redirect_chain == [("/admin/", 302)]
    assert "Usage administration" in page.content.decode()


def test_the_schedule_shows_its_last_run(filled, staff, client):
    client.force_login(staff)

    page = client.get(address(Schedule, "changelist")).content.decode()

    assert f'<a href="/admin/django_q/success/{"1" * 32}/change/">[one]</a>' in page


def test_a_new_user_can_log_in(staff, client):
    client.force_login(staff)
    answers = {"email": "Dana@Example.com", "usable_password": "true", "password1": "battery staple"}

    page = client.post("/admin/aggregates/user/add/", {**answers, "password2": "battery staple"})

    assert page.status_code == 302, page.context["errors"]
    dana = User.objects.get(email__iexact="dana@example.com")
    assert dana.check_password("battery staple")
    assert not dana.is_staff

    again = client.post(
        "/admin/aggregates/user/add/", {**answers, "email": "DANA@example.com", "password2": "battery staple"}
    )
    assert again.status_code == 200
    assert User.objects.filter(email__iexact="dana@example.com").count() == 1
