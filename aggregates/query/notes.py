"""What is known of the days of a range: what people noted, own prices that begin, models that are new, and what the
audit log has of them: calls that were corrected or priced anew, and another time zone.

A model is new on the first day that any aggregate has it on, so a day counts once it is rolled up; the log is not read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from psycopg.sql import SQL

from aggregates.db.prepared import fetch_all
from aggregates.db.sql import table, text
from aggregates.domain.days import date_of
from aggregates.domain.dimensions import GRAINS
from aggregates.domain.texts import in_sentence, shown
from aggregates.domain.wallclock import day_words
from aggregates.models import AuditEntry, BreakdownChunk, DayNote, Event, PriceOverride, UsageDay, UsagePeriod, User
from aggregates.query.selection import Selection

BY_MODEL = next(grain for grain in GRAINS if "model" in grain.dimensions)
MOST = 100  # of a kind, the latest ones

# What people noted, own prices that begin, models that are new, and what the audit log has: read at once, each with its
# kind or event, its days, and what its words are made of. Months that are summed tell all models of their days; days of
# others are looked at one by one. On the organization's first day every model would be new.
TOLD = text(
    SQL(
        """
        (
            SELECT 'note' AS kind, first, COALESCE(last, first) AS last, text, COALESCE(author.email, ''),
                   NULL::timestamptz
            FROM {notes} AS note LEFT JOIN {users} AS author ON author.id = note.author_id
            WHERE organization_id = %(organization)s AND first <= %(last)s AND COALESCE(last, first) >= %(first)s
            ORDER BY first DESC, note.id LIMIT %(most)s
        )
        UNION ALL
        (
            SELECT 'price', first, first, pattern, tier, NULL FROM {prices}
            WHERE organization_id = %(organization)s AND first BETWEEN %(first)s AND %(last)s
            ORDER BY first DESC, id LIMIT %(most)s
        )
        UNION ALL
        (
            WITH groups AS (
                SELECT chunk.first, of_group.model
                FROM {chunks} AS chunk
                CROSS JOIN LATERAL unnest(chunk.model, chunk.total_calls) AS of_group (model, calls)
                WHERE organization_id = %(organization)s AND grain = ANY(%(grains)s) AND calls > 0
                  AND of_group.model <> ''
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
            SELECT 'model', min(first), min(first), model, '', NULL FROM groups GROUP BY model
            HAVING min(first) >= %(first)s
               AND min(first) > (SELECT min(date) FROM {days} WHERE organization_id = %(organization)s)
            ORDER BY min(first) DESC, model COLLATE "C" LIMIT %(most)s
        )
        UNION ALL
        SELECT event, first, last, COALESCE(after ->> 'time_zone', ''), '', at FROM (
            SELECT event, first, last, at, after,
                   row_number() OVER (PARTITION BY event ORDER BY first DESC, id DESC) AS number
            FROM {audit}
            WHERE organization_id = %(organization)s AND event = ANY(%(events)s)
              AND first <= %(last)s AND last >= %(first)s
        ) AS entry WHERE number <= %(most)s
        """
    ).format(
        notes=table(DayNote),
        users=table(User),
        prices=table(PriceOverride),
        chunks=table(BreakdownChunk),
        periods=table(UsagePeriod),
        days=table(UsageDay),
        audit=table(AuditEntry),
    )
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
    events = [event.value for event in AUDITED]
    told = fetch_all(TOLD, {**about_models(selection), "events": events, "most": MOST})
    return in_order(dict.fromkeys(_note(selection.organization.time_zone, *each) for each in told))


def in_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Put notes in the order of their days, and of a day by kind."""
    order = list(NoteKind)
    return tuple(sorted(notes, key=lambda note: (note.first, order.index(note.kind), note.text)))


def _note(zone: str, kind: str, first: date, last: date, said: str, more: str, at: datetime | None) -> Note:
    match kind:
        case NoteKind.NOTE:
            return Note(NoteKind.NOTE, first, last, said, more)
        case NoteKind.PRICE:
            of_tier = f" ({in_sentence(more)})" if more else ""
            return Note(NoteKind.PRICE, first, last, f"An own price of {in_sentence(said)}{of_tier} begins")
        case NoteKind.MODEL:
            return Note(NoteKind.MODEL, first, last, f"First calls of {in_sentence(said)}")
    done = day_words(date_of(at, zone)) if at else ""
    return Note(AUDITED[Event(kind)], first, last, _words(kind, done, said))


def _words(event: str, done: str, zone: str) -> str:
    """Say what was done to the calls of days, or to days, and on which day."""
    match event:
        case Event.ZONE_CHANGED:
            return f"The time zone became {in_sentence(zone)}: all days were cut anew"
        case Event.REPRICED:
            return f"Calls of these days were priced anew on {done}"
    return f"Calls of these days were corrected on {done}"


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
