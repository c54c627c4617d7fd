"""The demo tells the same story at every run, has something on every chart, and never touches a site in use."""

import html
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from aggregates.accounts import keys
from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import DailyAggregate, Membership, Organization, PriceOverride, Role, StaleDay, UsageLog, User
from aggregates.ops import demo
from aggregates.ops.checks.strangers import login_of_the_demo
from aggregates.ops.demo.cast import ANALYTICS, GAMES, STORIES, SUPPORT
from aggregates.ops.demo.prices import PRICES
from aggregates.ops.demo.story import LENGTH, Story, calls_of
from aggregates.rollup.protocol import roll_up
from tests.processes import run_on_terminal

BEGAN = date(2025, 3, 1)
DAYS = [BEGAN + timedelta(days=number) for number in range(LENGTH.days)]


@lru_cache
def told(story: Story) -> dict[date, list[Call]]:
    return {day: list(calls_of(story, day, BEGAN)) for day in DAYS}


def costs(story: Story) -> dict[date, Decimal]:
    return {day: sum((call.cost or Decimal(0) for call in calls), Decimal(0)) for day, calls in told(story).items()}


def months(story: Story) -> list[list[Call]]:
    """The first and the last 30 days."""
    return [[call for day in part for call in told(story)[day]] for part in (DAYS[:30], DAYS[-30:])]


@pytest.fixture
def data_folder(settings, tmp_path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def run_demo(*options: str) -> str:
    out = StringIO()
    call_command("demo", *options, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.slug)
def test_a_day_is_told_the_same_every_time(story):
    assert list(calls_of(story, DAYS[77], BEGAN)) == told(story)[DAYS[77]]
    assert told(story)[DAYS[77]] != told(story)[DAYS[78]]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.slug)
def test_calls_lie_within_their_local_day_and_have_ids_of_their_own(story):
    zone = ZoneInfo(story.time_zone)
    assert all(call.timestamp.astimezone(zone).date() == day for day, calls in told(story).items() for call in calls)
    ids = Counter(call.request_id for calls in told(story).values() for call in calls)
    assert set(ids.values()) == {1}
    assert "" not in ids


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.slug)
def test_usage_grows_and_fails_now_and_then(story):
    first, last = months(story)
    assert len(last) > 1.5 * len(first)
    assert len({call.user_id for call in last}) > len({call.user_id for call in first})
    failed = [call for calls in told(story).values() for call in calls if call.status == "error"]
    assert 0.008 < len(failed) / sum(map(len, told(story).values())) < 0.03
    assert {call.input_tokens == 0 for call in failed} == {True, False}


def test_all_together_are_enough_to_look_at_and_soon_made():
    assert 60_000 <= sum(len(calls) for story in STORIES for calls in told(story).values()) <= 120_000


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.slug)
def test_every_dimension_has_several_values(story):
    calls = [call for calls in told(story).values() for call in calls]
    for field, least in {
        "operation": 3,
        "provider": 2,
        "model": 4,
        "user_id": 30,
        "subject_id": 200,
        "project": 2,
    }.items():
        assert len({getattr(call, field) for call in calls}) >= least, field


@pytest.mark.parametrize("story", [SUPPORT, ANALYTICS], ids=lambda story: story.slug)
def test_offices_rest_at_weekends_and_at_night(story):
    by_weekday = Counter(dict.fromkeys(range(7), 0))
    by_hour: Counter[int] = Counter()
    for day, calls in told(story).items():
        by_weekday[day.weekday()] += len(calls)
        by_hour.update(call.timestamp.astimezone(ZoneInfo(story.time_zone)).hour for call in calls)
    assert max(by_weekday[5], by_weekday[6]) < min(by_weekday[day] for day in range(5)) / 3
    assert by_hour[10] > 20 * (by_hour[23] + 1)


@pytest.mark.parametrize(
    ("story", "older", "newer"),
    [
        (SUPPORT, "claude-sonnet-4", "claude-sonnet-4-5"),
        (GAMES, "gpt-4o", "gpt-5-mini"),
        (ANALYTICS, "gpt-4o", "gpt-5"),
    ],
    ids=lambda value: getattr(value, "slug", value),
)
def test_an_older_model_gives_way_to_a_newer_one(story, older, newer):
    first, last = ({call.model for call in month} for month in months(story))
    assert (older in first, newer in first) == (True, story is ANALYTICS and newer in first)
    assert (older in last, newer in last) == (False, True)


def test_half_way_prompts_begin_to_be_cached():
    hits = defaultdict(int)
    for day, calls in told(SUPPORT).items():
        hits[day >= BEGAN + LENGTH / 2] += sum(call.cached_tokens for call in calls)
    assert hits[False] == 0
    assert hits[True] / sum(call.input_tokens for day in DAYS[198:] for call in told(SUPPORT)[day]) > 0.5
    assert sum(call.cache_write_tokens for call in months(SUPPORT)[1]) > 0


def test_the_spike_in_cost_has_a_cause():
    spent = costs(ANALYTICS)
    *_, first, second = sorted(spent, key=lambda day: spent[day])
    assert abs(first - second) == timedelta(days=1)
    usual = sorted(spent.values())[len(spent) // 2]
    assert spent[first] > 8 * usual
    by_operation: dict[str, Decimal] = defaultdict(Decimal)
    for call in told(ANALYTICS)[first]:
        by_operation[call.operation] += call.cost or 0
    assert by_operation["contract-backfill"] > spent[first] * Decimal("0.9")


def test_one_morning_many_calls_failed():
    errors = {day: sum(call.status == "error" for call in calls) for day, calls in told(SUPPORT).items()}
    *_, usual_most, most = sorted(errors.values())
    assert most > 2 * usual_most


def test_the_calls_of_one_model_have_no_price():
    unpriced = {call.model for calls in told(GAMES).values() for call in calls if call.cost is None}
    assert unpriced == {"llama-3.3-70b"}


def test_some_calls_use_what_has_a_price_of_its_own():
    calls = [call for calls in told(SUPPORT).values() for call in calls]
    used = Counter(name for call in calls for name, _ in call.units)
    assert used["web_searches"] > 100 and used["file_searches"] > 100
    assert not any(call.units for call in calls if call.status == "error")
    searched = next(call for call in calls if dict(call.units).get("web_searches") == 2)
    plain = PRICES[searched.model].of(
        searched.input_tokens, searched.cached_tokens, searched.cache_write_tokens, searched.output_tokens
    )
    assert searched.cost == plain + Decimal("0.02")


@pytest.mark.slow
def test_an_empty_site_is_filled_up_to_now(db, data_folder, client, settings, monkeypatch):
    """With the stories' beginning: what all of them hold is told above."""
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    monkeypatch.setattr(demo, "MONTHS", 1)
    said = run_demo()

    slugs = [story.slug for story in STORIES]
    assert list(Organization.objects.order_by("slug").values_list("slug", flat=True)) == sorted(slugs)
    told_so_far = sum(len(told(story)[day]) for story in STORIES for day in DAYS[:31])
    assert 0.4 * told_so_far <= UsageLog.objects.count() <= 3 * told_so_far
    newest = UsageLog.objects.order_by("-timestamp").first()
    assert newest and timedelta(0) <= clock.now() - newest.timestamp < timedelta(hours=12)
    # Rolled up, but for the calls that came late.
    late = {mark.date: days.date_of(clock.now(), mark.organization.time_zone) for mark in StaleDay.objects.all()}
    assert late
    assert all(2 <= (today - day).days <= 6 for day, today in late.items())
    dates = DailyAggregate.objects.values_list("date", flat=True)
    assert min(dates) == demo.first_day(clock.now())
    out = StringIO()
    call_command("aggregate_day", "--from", str(max(late)), "--to", str(max(late)), "--verify", stdout=out)
    assert "Compared" in out.getvalue()

    login_file = data_folder / "demo-login"
    assert login_file.stat().st_mode & 0o777 == 0o600
    email, password = (line.split(": ")[1] for line in login_file.read_text().splitlines())
    assert f"Its login is in {login_file}." in said  # the site answers to a name that is not this machine's
    assert password not in said
    assert client.login(username=email, password=password)
    user = User.objects.get(email=email)
    assert (user.is_staff, user.is_superuser) == (True, True)
    assert {(m.organization.slug, m.role) for m in user.memberships.all()} == {(slug, Role.OWNER) for slug in slugs}


def test_a_site_in_use_stays_as_it_is(acme, data_folder):
    assert run_demo() == "There are organizations already: no demo data was made.\n"

    assert list(Organization.objects.all()) == [acme]
    assert not UsageLog.objects.exists()
    assert not User.objects.exists()
    assert list(data_folder.iterdir()) == []


# ------------------------------------------------------------------ its login


@pytest.fixture
def demo_login(db, data_folder, settings) -> demo.login.Login:
    """A demo as it was made, without any usage, on this machine."""
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    made = demo.login.Login("admin@example.com", "some password")
    demo.login.write_login(data_folder / "demo-login", made)
    user = User.objects.create_superuser(made.email, made.password)
    for story in STORIES:
        organization = Organization.objects.create(slug=story.slug, name=story.name, time_zone=story.time_zone)
        Membership.objects.create(user=user, organization=organization, role=Role.ADMIN)
    return made


TOLD = "E-mail: admin@example.com\nPassword: some password\n"


def test_the_login_is_shown_again_as_long_as_it_works(demo_login):
    assert TOLD in run_demo()

    user = User.objects.get(email=demo_login.email)
    user.set_password("another one")
    user.save()
    assert "assword" not in run_demo()


def test_the_login_is_not_shown_beside_other_organizations(demo_login, acme):
    assert "assword" not in run_demo()


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS", True), ("ALLOWED_HOSTS", ["usage.example.com"]), ("ALLOWED_HOSTS", ["*"])]
)
def test_the_login_is_not_shown_where_others_reach_the_site(demo_login, settings, name, value):
    setattr(settings, name, value)
    assert "assword" not in run_demo()


def test_the_login_is_not_shown_with_a_database_of_ones_own(demo_login, monkeypatch, settings):
    monkeypatch.delitem(settings.DATABASES["default"], "EMBEDDED")
    assert "assword" not in run_demo()


def test_staff_and_check_are_warned_while_it_works_beside_other_organizations(demo_login, acme, client, staff):
    client.force_login(staff)

    def warned() -> tuple[bool, bool]:
        found = [message.id for message in login_of_the_demo(None)]
        page = client.get("/admin/", headers={"host": "localhost"})
        return demo.login.WARNING in html.unescape(page.content.decode()), found == ["aggregates.W027"]

    user = User.objects.get(email=demo_login.email)
    assert warned() == (True, True)
    user.set_password("battery staple")
    user.save()
    assert warned() == (False, False)
    demo.login.file().unlink()  # now nobody knows
    assert warned() == (True, True)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert warned() == (False, False)


def test_the_demo_alone_is_no_reason_to_warn(demo_login):
    assert login_of_the_demo(None) == []


# ------------------------------------------------------------------ its end


def rows() -> dict[str, int]:
    """How many rows each table has, but for what the database keeps of every site."""
    return {model._meta.label: model.objects.count() for model in apps.get_models() if model._meta.managed}


def test_removing_it_leaves_what_was_there_beside_it(demo_login, acme, alice, call, data_folder):
    record(acme, [call("2025-03-01T10:00Z", cost="1.5")])
    keys.create(acme, "ours", alice)
    roll_up()
    before = rows()
    user = User.objects.get(email=demo_login.email)
    for organization in Organization.objects.exclude(pk=acme.pk):
        record(organization, [call("2025-03-01T10:00Z", cost="2.5"), call("2025-03-02T10:00Z")])
        keys.create(organization, "theirs", user)
        PriceOverride.objects.create(organization=organization, pattern="o*", input=1, output=2, created_by=user)
    roll_up()
    record(Organization.objects.get(slug="brightdesk"), [call("2025-03-01T12:00Z")])  # late

    said = run_demo("--remove", "--noinput")

    assert said == ("Removed Brightdesk Support, Lumen Games, Monsoon Analytics, admin@example.com, and 7 calls.\n")
    after = rows()
    assert after.pop("aggregates.Organization") == 1
    assert after.pop("aggregates.User") == 1
    assert after.pop("aggregates.Membership") == 1
    # One of acme's; and that the removal of three was asked for, and done.
    assert (before.pop("aggregates.AuditEntry"), after.pop("aggregates.AuditEntry")) == (1, 1 + 3 * 2)
    assert after == {label: number for label, number in before.items() if label in after}
    assert list(data_folder.iterdir()) == []
    assert run_demo("--remove", "--noinput") == "There is no demo.\n"


def test_an_organization_that_only_sounds_like_it_stays(demo_login, call):
    ours = Organization.objects.get(slug="brightdesk")
    Organization.objects.filter(pk=ours.pk).update(name="Brightdesk")
    with pytest.raises(CommandError, match=r"admin@example\.com belongs to brightdesk, too"):
        run_demo("--remove", "--noinput")
    ours.memberships.all().delete()

    run_demo("--remove", "--noinput")

    assert list(Organization.objects.values_list("slug", flat=True)) == ["brightdesk"]
    assert not User.objects.exists()


def test_its_user_who_belongs_elsewhere_too_is_not_taken_away(demo_login, acme):
    Membership.objects.create(user=User.objects.get(), organization=acme, role=Role.ADMIN)

    with pytest.raises(CommandError, match=r"admin@example\.com belongs to acme, too"):
        run_demo("--remove", "--noinput")

    assert Organization.objects.count() == 4
    assert User.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("word", "left"), [("yes", 0), ("y", 3)])
def test_it_is_asked_whether_that_is_meant(demo_login, word, left):
    question = "with all they have? Type yes: "
    status, shown = run_on_terminal("demo", "--remove", answers=((question, word),))

    assert (status, question in shown) == (0 if word == "yes" else 1, True), shown
    assert Organization.objects.count() == left


@pytest.mark.slow
def test_a_run_that_fails_leaves_nothing(transactional_db, data_folder):
    (data_folder / "demo-login").mkdir()  # so that the login cannot be written

    with pytest.raises(OSError, match="demo-login"):
        run_demo()

    assert not Organization.objects.exists()
    assert not User.objects.exists()
    assert not UsageLog.objects.exists()
