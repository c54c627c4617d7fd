"""Published prices that change, among what is known of the days of a range: of models that were used about then."""

from collections.abc import Iterator
from datetime import date

from psycopg.sql import SQL

from aggregates.db.prepared import fetch_all
from aggregates.db.sql import table, text
from aggregates.domain import days
from aggregates.domain.texts import in_sentence
from aggregates.models import BreakdownChunk, UsagePeriod
from aggregates.pricing.overrides import overrides_of
from aggregates.pricing.table import find
from aggregates.query.notes import MOST, Note, NoteKind, about_models, in_order, read_notes
from aggregates.query.selection import Selection

MOST_MODELS = 500  # those with the most calls: names come from senders, and each is looked up

# Whole months where these are summed: a year is looked at in a dozen rows.
USED_MODELS = text(
    SQL(
        """
        SELECT COALESCE(of_group.provider, ''), of_group.model
        FROM {chunks} AS chunk
        CROSS JOIN LATERAL unnest(chunk.provider, chunk.model, chunk.total_calls) AS of_group (provider, model, calls)
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM {periods} AS period
                WHERE period.organization_id = %(organization)s AND period.unit = 'month'
                  AND period.first = date_trunc('month', chunk.first)::date
            )
        ) AS month (is_summed)
        WHERE organization_id = %(organization)s AND grain = ANY(%(grains)s) AND calls > 0 AND of_group.model <> ''
          AND (cardinality(%(kept)s::text[]) = 0 OR of_group.model = ANY(%(kept)s::text[]))
          AND of_group.model <> ALL(%(left_out)s::text[])
          AND unit = CASE WHEN is_summed THEN 'month' ELSE 'day' END
          AND first >= date_trunc('month', %(first)s::date)::date
          AND first < (date_trunc('month', %(last)s::date) + interval '1 month')::date
        GROUP BY 1, 2 ORDER BY sum(calls) DESC, 1, 2 LIMIT %(most)s
        """
    ).format(chunks=table(BreakdownChunk), periods=table(UsagePeriod))
)


def read_all_notes(selection: Selection) -> tuple[Note, ...]:
    """List what is known of the days of a range, as `query.notes.read_notes` does, and which published prices changed
    then: those of models used in its months, where no own price holds."""
    notes = read_notes(selection)
    return notes if selection.organization.scope else in_order([*notes, *_changes(selection)])


def _changes(selection: Selection) -> list[Note]:
    """Make a note of each change; at most MOST, the latest."""
    first, last = selection.range.first, selection.range.last
    found = {(day, model) for provider, model in _used(selection) for day in _days_of(provider, model, first, last)}
    own = [price for price in overrides_of(selection.organization) if not price.tier] if found else []
    found -= {
        (day, model)
        for day, model in found
        for price in own
        if price.pattern.fullmatch(model) and price.holds(days.midnight(day, "UTC"))
    }
    return [
        Note(NoteKind.PRICE, day, day, f"The published price of {in_sentence(model)} changes")
        for day, model in sorted(found)[-MOST:]
    ]


def _days_of(provider: str, model: str, first: date, last: date) -> list[date]:
    found = find(provider, model)
    return found.changes(first, last) if found else []


def _used(selection: Selection) -> Iterator[tuple[str, str]]:
    """Yield the models, each with the provider that its calls name."""
    yield from fetch_all(USED_MODELS, {**about_models(selection), "most": MOST_MODELS})
