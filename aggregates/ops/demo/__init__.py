"""Demo data: three organizations with 13 months of usage up to now, and a login that sees them all."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.db import transaction

from aggregates.db import clock
from aggregates.domain import days
from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Membership, Organization, Role, User
from aggregates.ops.demo.cast import STORIES
from aggregates.ops.demo.login import EMAIL, Login, write_login
from aggregates.ops.demo.story import Story, calls_of
from aggregates.rollup import protocol

LATE_USER = "charlie"  # whose calls of the last days arrive late, from a laptop that was offline
LATE_DAYS = range(2, 6)  # days ago
MONTHS = 13  # that are over, and the one that is under way
OnDay = Callable[[date], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What the demo consists of."""

    login: Login
    organizations: tuple[Organization, ...]
    calls: int
    days: int


def first_day(now: datetime) -> date:
    """Return the day on which the stories begin: that of a month, so that all runs of one month tell them alike."""
    month = now.year * 12 + now.month - 1 - MONTHS
    return date(month // 12, month % 12 + 1, 1)


def make_demo(login_file: Path, on_day: OnDay = lambda day: None) -> Made:
    """Make organizations, login and calls, all or nothing; roll up; then record the calls that come late."""
    now = clock.now()
    login = Login(EMAIL, secrets.token_urlsafe(12))
    with transaction.atomic():
        organizations = tuple(
            Organization.objects.create(slug=story.slug, name=story.name, time_zone=story.time_zone)
            for story in STORIES
        )
        user = User.objects.create_superuser(login.email, login.password)
        for organization in organizations:
            Membership.objects.create(user=user, organization=organization, role=Role.OWNER)
        write_login(login_file, login)
        pairs = tuple(zip(organizations, STORIES, strict=True))
        calls = sum(record(whose, story_calls(story, now, late=False, on_day=on_day)).new for whose, story in pairs)
    rolled = protocol.roll_up(only=[organization.pk for organization in organizations], on_day=on_day)
    calls += sum(record(whose, story_calls(story, now, late=True)).new for whose, story in pairs)
    return Made(login, organizations, calls, rolled.days)


def story_calls(story: Story, now: datetime, *, late: bool, on_day: OnDay = lambda day: None) -> Iterator[Call]:
    """Yield the story's calls up to now: those that come late, or all the others."""
    began, today = first_day(now), days.date_of(now, story.time_zone)
    for day in days.dates(began, today):
        may_be_late = (today - day).days in LATE_DAYS
        if may_be_late or not late:
            for call in calls_of(story, day, began):
                if call.timestamp <= now and (may_be_late and call.user_id == LATE_USER) == late:
                    yield call
        on_day(day)
