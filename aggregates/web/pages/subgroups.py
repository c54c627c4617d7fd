"""What a group of the dashboard's table opens to: its subgroups, read when one asks for them."""

from dataclasses import dataclass
from datetime import datetime

from aggregates.db.limits import TimedOut
from aggregates.db.standby import prefer_standby
from aggregates.domain.days import date_of
from aggregates.domain.dimensions import BY_NAME, Dimension
from aggregates.query.runner import read
from aggregates.query.selection import Selection
from aggregates.query.usage_query import QueryError
from aggregates.web.pages import tables
from aggregates.web.pages.dashboard import PATIENCE
from aggregates.web.pages.tables import Line


@dataclass(frozen=True)
class Subgroups:
    """The lines of a group, which the selection is filtered to; or why they cannot be shown. `as_of` is when they were
    read, where calls may have come since the page was."""

    selection: Selection
    key: str
    dimension: Dimension
    lines: tuple[Line, ...] = ()
    refusal: str = ""
    as_of: datetime | None = None

    @property
    def width(self) -> int:
        """How many cells a line has."""
        return 2 + len(self.selection.shown_columns)


def key_of(selection: Selection) -> str | None:
    """Give the group that a selection is filtered to, if it has subgroups; else None."""
    kept = [value for name, value in selection.filters if name == selection.by]
    return kept[0] if selection.subgroup and len(kept) == 1 else None


@prefer_standby
def load(selection: Selection, key: str) -> Subgroups:
    dimension, query = BY_NAME[selection.subgroup or ""], tables.query_of_subgroups(selection)
    try:
        answer = read([query], seconds=PATIENCE)[query]
    except (QueryError, TimedOut) as error:
        return Subgroups(selection, key, dimension, refusal=str(error))
    is_open = query.last >= date_of(answer.as_of, query.zone)
    return Subgroups(
        selection, key, dimension, tables.subgroups_of(answer, selection), as_of=answer.as_of if is_open else None
    )
