"""Rights are for superusers to give, and nobody runs a function by the admin's lists of tasks."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task

from aggregates.models import User

RIGHTS = ("is_staff", "is_superuser", "reads_all", "groups", "user_permissions")
TABLES = ("schedule", "success", "failure", "ormq")


@pytest.fixture
def keeper(db: None) -> User:
    """Bob, who may do anything with users, groups and tasks, and is no superuser."""
    user = User.objects.create_user("bob@example.com", "correct horse", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("aggregates", "auth", "django_q")))
    return user


@pytest.fixture
def visitor(client: Client, keeper: User) -> Client:
    client.force_login(keeper)
    return client


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    joined = {"date_joined_0": "2025-03-01", "date_joined_1": "10:00:00", "last_login_0": "", "last_login_1": ""}
    return {"email": user.email, "first_name": "", "last_name": "", "is_active": "on", **joined, **changes}


def rights() -> dict[str, Any]:
    group = Group.objects.get_or_create(name="all")[0]
    return {
        "is_staff": "on",
        "is_superuser": "on",
        "reads_all": "on",
        "groups": group.pk,
        "user_permissions": Permission.objects.all()[0].pk,
    }


def address(user: User, what: str = "change") -> str:
    return f"/admin/aggregates/user/{user.pk}/{what}/"


def test_who_may_change_users_gives_no_rights(visitor: Client, keeper: User) -> None:
    alice = User.objects.create_user("alice@example.com", "correct horse")
    had = set(keeper.user_permissions.all())
    for user in (alice, keeper):
        answer = visitor.post(address(user), form_of(user, first_name="Changed", **rights()))
        assert answer.status_code == 302
        user.refresh_from_db()
        given = (user.first_name, user.is_superuser, user.is_staff, user.reads_all)
        assert given == ("Changed", False, user == keeper, False)
        assert not user.groups.exists()
    assert not alice.user_permissions.exists()
    assert set(keeper.user_permissions.all()) == had


def test_a_superuser_gives_them(client: Client, staff: User) -> None:
    client.force_login(staff)
    alice = User.objects.create_user("alice@example.com", "correct horse")

    client.post(address(alice), form_of(alice, **rights()))

    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser, alice.reads_all) == (True, True, True)
    assert (alice.groups.count(), alice.user_permissions.count()) == (1, 1)


@pytest.mark.parametrize("right", ["is_superuser", "is_staff", "reads_all"])
def test_nobody_takes_over_an_account_with_more_rights(visitor: Client, right: str) -> None:
    charlie = User.objects.create_user("charlie@example.com", "correct horse", **{right: True})
    new = {"password1": "taken over 1", "password2": "taken over 1", "usable_password": "true"}

    assert visitor.post(f"/admin/aggregates/user/{charlie.pk}/password/", new).status_code == 403
    assert visitor.post(address(charlie), form_of(charlie, email="bob2@example.com")).status_code == 403
    assert visitor.post(address(charlie, "delete"), {"post": "yes"}).status_code == 403
    marked = {"action": "delete_selected", "_selected_action": charlie.pk, "post": "yes"}
    visitor.post("/admin/aggregates/user/", marked)

    charlie.refresh_from_db()
    assert charlie.email == "charlie@example.com"
    assert charlie.check_password("correct horse")


def test_who_may_change_users_sets_the_password_of_one_without_rights(visitor: Client) -> None:
    alice = User.objects.create_user("alice@example.com", "correct horse")
    new = {"password1": "battery staple 1", "password2": "battery staple 1", "usable_password": "true"}

    assert visitor.post(f"/admin/aggregates/user/{alice.pk}/password/", new).status_code == 302

    alice.refresh_from_db()
    assert alice.check_password("battery staple 1")


def test_groups_are_for_superusers_to_change(visitor: Client) -> None:
    group = Group.objects.create(name="all")
    for where in ("add/", f"{group.pk}/change/", f"{group.pk}/delete/"):
        assert visitor.post(f"/admin/auth/group/{where}", {"name": "others", "post": "yes"}).status_code == 403
    assert [found.name for found in Group.objects.all()] == ["all"]


@pytest.fixture
def tasks(db: None) -> dict[str, Any]:
    """A row in each of the cluster's tables, by its name in addresses."""
    times = {"started": timezone.now(), "stopped": timezone.now()}
    for name, success in (("good", True), ("bad", False)):
        Task.objects.create(id=name, name=name, func="aggregates.tasks.repair", success=success, **times)
    async_task("aggregates.tasks.repair", group="repair")
    rows = (Schedule.objects.first(), Success.objects.get(), Failure.objects.get(), OrmQ.objects.get())
    return dict(zip(TABLES, rows, strict=True))


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_of_tasks_are_shown_and_never_written(
    client: Client, staff: User, tasks: dict[str, Any], table: str
) -> None:
    client.force_login(staff)
    path, row = f"/admin/django_q/{table}/", tasks[table]

    assert client.get(path).status_code == 200
    assert client.get(f"{path}{row.pk}/change/").status_code == 200
    changed = {"func": "os.system", "args": "'true'", "schedule_type": "O", "next_run_0": "2025-03-01", "key": "x"}
    for where in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert client.post(f"{path}{where}", {**changed, "post": "yes"}).status_code == 403, where
    assert b"resubmit" not in client.get(path).content.lower()
    for action in ("resubmit_task", "delete_selected"):
        client.post(path, {"action": action, "_selected_action": row.pk, "post": "yes"})
    assert OrmQ.objects.count() == 1
    assert type(row).objects.get(pk=row.pk) == row
    assert not Schedule.objects.filter(func="os.system").exists()
