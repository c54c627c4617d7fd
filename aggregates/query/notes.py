"""What is known of the days of a range: what people noted, own prices that begin, models that are new, and what the
audit log has of them: calls that were corrected or priced anew, and another time zone.

A model is new on the first day that any aggregate has it on, so a day counts once it is rolled up; the log is not read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import F, Q, Window
from django.db.models.functions import Coalesce, RowNumber
from psycopg.sql import SQL

from aggregates.db.sql import table, text
from aggregates.domain.days import date_of
from aggregates.domain.dimensions import GRAINS
from aggregates.domain.texts import in_sentence, shown
from aggregates.domain.wallclock import day_words
from aggregates.models import AuditEntry, BreakdownChunk, DayNote, Event, PriceOverride, UsageDay, UsagePeriod
from aggregates.query.selection import Selection

BY_MODEL = next(grain for grain in GRAINS if "model" in grain.dimensions)
MOST = 100  # of a kind, the latest ones

# Months that are summed tell all of their days at once; days of others are looked at one by one. On the organization's
# first day every model would be new.
NEW_MODELS = text(
    SQL(
        """
        WITH groups AS (
            SELECT chunk.first, of_group.model
            FROM {chunks} AS chunk
            CROSS JOIN LATERAL unnest(chunk.model, chunk.total_calls) AS of_group (model, calls)
            WHERE organization_id = %(organization)s AND grain = ANY(%(grains)s) AND calls > 0 AND of_group.model <> ''
              AND (cardinality(%(kept)s::text[]) = 0 OR of_group.model = ANY(%(kept)s::text[]))
              AND of_group.model <> ALL(%(left_out)s::text[])
              AND (
                unit = 'day' AND first BETWEEN %(first)s AND %(last)s
                OR unit = 'day' AND first < %(first)s AND NOT EXISTS (
                    SELECT FROM {periods} AS period
                    WHERE period.organization_id = %(organization)s AND period.unit = 'month'
                      AND period.first = date_trunc('month', chunk.first)::date
                      AND period.first + interval '1 month' <= %(first)s
                )
                OR unit = 'month' AND first + interval '1 month' <= %(first)s AND EXISTS (
                    SELECT FROM {periods} AS period
                    WHERE period.organization_id = %(organization)s AND period.unit = 'month'
                      AND period.first = chunk.first
                )
              )
        )
        SELECT model, min(first) FROM groups GROUP BY model
        HAVING min(first) >= %(first)s
           AND min(first) > (SELECT min(date) FROM {days} WHERE organization_id = %(organization)s)
        ORDER BY min(first) DESC, model COLLATE "C" LIMIT %(most)s
        """
    ).format(chunks=table(BreakdownChunk), periods=table(UsagePeriod), days=table(UsageDay))
)


class NoteKind(StrEnum):
    NOTE = "note"
    PRICE = "price"
    MODEL = "model"
    CORRECTED = "corrected"
    REPRICED = "repriced"
    ZONE = "zone"


AUDITED = {Event.CORRECTED: NoteKind.CORRECTED, Event.REPRICED: NoteKind.REPRICED, Event.ZONE_CHANGED: NoteKind.ZONE}


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said of the days `first` to `last`; `author` is who noted it, "" where nobody did or has gone.

    Of what the audit log has it is told neither who did it nor what it came to: admins read that there.
    """

    kind: NoteKind
    first: date
    last: date
    text: str
    author: str = ""

    @property
    def words(self) -> str:
        """Write it for people, in plain text; our own sentences are that already."""
        return shown(self.text) if self.kind == NoteKind.NOTE else self.text


def read_notes(selection: Selection) -> tuple[Note, ...]:
    """List what is known of the days of a range, by day: of each kind at most MOST, the latest; what people noted comes
    first. Of models those that its filters let through. Within the caller's snapshot. All of it is of the organization
    as a whole, so nobody with a scope is told any."""
    if selection.organization.scope:
        return ()
    return in_order([*_noted(selection), *_prices(selection), *_new_models(selection), *_audited(selection)])


def in_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Put notes in the order of their days, and of a day by kind."""
    order = list(NoteKind)
    return tuple(sorted(notes, key=lambda note: (note.first, order.index(note.kind), note.text)))


def _noted(selection: Selection) -> Iterator[Note]:
    first, last = selection.range.first, selection.range.last
    ends = Coalesce("last", "first")
    notes = DayNote.objects.filter(organization=selection.organization).alias(ends=ends)
    notes = notes.filter(first__lte=last, ends__gte=first).order_by("-first", "pk")
    for first_day, last_day, said, author in notes.values_list("first", "last", "text", "author__email")[:MOST]:
        yield Note(NoteKind.NOTE, first_day, last_day or first_day, said, author or "")


def _prices(selection: Selection) -> Iterator[Note]:
    within = Q(first__range=(selection.range.first, selection.range.last))
    prices = PriceOverride.objects.filter(within, organization=selection.organization).order_by("-first", "pk")
    for pattern, tier, first in prices.values_list("pattern", "tier", "first")[:MOST]:
        if first:  # as the range says already
            of_tier = f" ({in_sentence(tier)})" if tier else ""
            yield Note(NoteKind.PRICE, first, first, f"An own price of {in_sentence(pattern)}{of_tier} begins")


def _new_models(selection: Selection) -> Iterator[Note]:
    with connection.cursor() as cursor:
        cursor.execute(NEW_MODELS, {**about_models(selection), "most": MOST})
        for model, first in cursor.fetchall():
            yield Note(NoteKind.MODEL, first, first, f"First calls of {in_sentence(model)}")


def about_models(selection: Selection) -> dict[str, Any]:
    """Give the parameters of a statement about models of a selection, in the breakdowns of its days."""
    return {
        "organization": selection.organization.pk,
        "grains": BY_MODEL.names,
        "first": selection.range.first,
        "last": selection.range.last,
        "kept": [value for name, value in selection.filters if name == "model"],
        "left_out": [value for name, value in selection.excluded if name == "model"],
    }


def _audited(selection: Selection) -> Iterator[Note]:
    """What was done to the calls of days, or to days; the same once."""
    zone = selection.organization.time_zone
    newest = Window(RowNumber(), partition_by="event", order_by=(F("first").desc(), F("pk").desc()))
    entries = AuditEntry.objects.filter(
        organization=selection.organization,
        event__in=AUDITED,
        first__lte=selection.range.last,
        last__gte=selection.range.first,
    )
    found = entries.annotate(number=newest).filter(number__lte=MOST).order_by("first", "pk")
    told = {
        Note(AUDITED[Event(event)], first or date.max, last or date.max, _words(event, date_of(at, zone), became))
        for event, first, last, at, became in found.values_list("event", "first", "last", "at", "after")
    }
    yield from told


def _words(event: str, done: date, became: dict[str, Any]) -> str:
    match event:
        case Event.ZONE_CHANGED:
            return f"The time zone became {in_sentence(became.get('time_zone', ''))}: all days were cut anew"
        case Event.REPRICED:
            return f"Calls of these days were priced anew on {day_words(done)}"
    return f"Calls of these days were corrected on {day_words(done)}"
