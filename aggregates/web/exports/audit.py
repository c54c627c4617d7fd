"""The audit log as CSV: an entry a row, with ids beside the names of now, and times in UTC."""

import json
from collections.abc import Iterator
from datetime import UTC

from aggregates.db.snapshot import snapshot
from aggregates.models import AuditEntry, Event
from aggregates.query.audit import AuditQuery, Named, read_entries
from aggregates.query.reports import BOM, csv_line, shown_cell

SECONDS = 60  # that a statement may take
BATCH = 1_000
COLUMNS = (
    "time",
    "event",
    "words",
    "user_id",
    "user",
    "via",
    "address",
    "about_id",
    "about",
    "before",
    "after",
    "effect_on_cost",
    "key_id",
    "key",
)


def as_csv(query: AuditQuery) -> Iterator[bytes]:
    """Write the entries, the newest first, all of one moment."""
    yield (BOM + csv_line(COLUMNS)).encode()
    place: int | None = None
    with snapshot(SECONDS):
        while True:
            found = read_entries(query, place, BATCH)
            yield "".join(csv_line(_cells(entry, found.named)) for entry in found.entries).encode()
            place = found.next
            if place is None:
                return


def _cells(entry: AuditEntry, named: Named) -> tuple[object, ...]:
    user, about = named.users.get(entry.user_id or 0, ""), named.about(entry)
    key = named.keys.get(entry.key_id or 0, "")
    return (
        entry.at.astimezone(UTC).isoformat(),
        entry.event,
        Event(entry.event).label,
        entry.user_id,
        shown_cell(user) if user else "",
        entry.via,
        entry.address,
        entry.object_id,
        shown_cell(about) if about else "",
        *(json.dumps(values, ensure_ascii=False, sort_keys=True) for values in (entry.before, entry.after)),
        json.dumps(entry.effect, sort_keys=True),
        entry.key_id,
        shown_cell(key) if key else "",
    )
