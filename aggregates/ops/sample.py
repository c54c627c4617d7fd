"""Sample data for an organization without usage: a month of made-up calls, under a key of their own, to look around.

No program can have that key, as its prefix is none that keys get. So removing what was recorded with it removes the
sample data, and nothing else.
"""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from aggregates.db import audit, clock
from aggregates.domain import days
from aggregates.domain.calls import Call, with_key
from aggregates.domain.secret import SAMPLE, digest
from aggregates.ingest import record
from aggregates.ingest.correcting import Corrected, Criteria, Delete, correct
from aggregates.models import ApiKey, Event, Organization, User
from aggregates.ops.demo import first_day
from aggregates.ops.demo.cast import SUPPORT
from aggregates.ops.demo.story import calls_of
from aggregates.query.first_call import has_usage, sample_key

NAME = "Sample data"
DAYS = 30
MARGIN = timedelta(days=2)  # by which a change of the time zone may move a day


class HasUsage(Exception):
    """The organization has usage: nothing that is made up comes among it."""


def add(organization: Organization, by: User) -> int:
    """Record sample data up to now; return how many calls and charges that is. Raises HasUsage."""
    with transaction.atomic():
        _wait_for_others(organization)
        if has_usage(organization) or sample_key(organization):
            raise HasUsage
        ApiKey.objects.create(
            organization=organization,
            name=NAME,
            prefix=SAMPLE,
            secret_hash=digest(secrets.token_hex(32)),  # which nobody knows
            created_by=by,
            revoked_at=Now(),
        )
        number = record(organization, _calls(organization, clock.now())).new
        audit.write(Event.SAMPLE_ADDED, organization, after={"rows": number})
    return number


def remove(organization: Organization) -> Corrected:
    """Remove all of it, and all sums are those without it. Days whose sums are kept keep it; the key then stays, too.
    Does nothing where there is none."""
    with transaction.atomic():
        _wait_for_others(organization)
        key = sample_key(organization)
        if key is None:
            return Corrected()
        last = days.date_of(key.created_at + MARGIN, organization.time_zone)
        first = last - timedelta(days=DAYS) - 2 * MARGIN
        done = correct(organization, Criteria(first, last, filters=(("key", SAMPLE),)), Delete())
        if not done.kept:
            key.delete()
        audit.write(Event.SAMPLE_REMOVED, organization, after={"rows": done.total.rows})
    return done


def _wait_for_others(organization: Organization) -> None:
    """Do what follows one after the other; who records calls waits for none of it."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _calls(organization: Organization, now: datetime) -> Iterator[Call]:
    """Make the last days of a story, in the organization's days. They are asked for while the database takes them in,
    so nothing here asks it for anything."""
    today = days.date_of(now, organization.time_zone)
    for day in days.dates(today - timedelta(days=DAYS - 1), today):
        for call in calls_of(SUPPORT, day, first_day(now)):
            if call.timestamp <= now:
                yield with_key(call, SAMPLE)
