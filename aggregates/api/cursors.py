"""Cursors of answers that come page by page: opaque to whoever gets one, and good for the same question only."""

from datetime import UTC, datetime
from hashlib import sha256

from django.core.signing import BadSignature, Signer

from aggregates.query.paging import Place
from aggregates.query.selection import Selection

MAX_LENGTH = 2_400  # characters: of the longest key, with each of its bytes escaped
SIGNER = Signer(salt="aggregates.api.cursors")


class BadCursor(ValueError):
    """A text that is no cursor of ours, or one of another question."""

    def __init__(self) -> None:
        super().__init__("Expected the “next” of an answer to the same question.")


def cursor_of(place: Place, selection: Selection) -> str:
    """The cursor of the page that begins beyond a place."""
    return SIGNER.sign_object([_question(selection), place.start.isoformat(), place.group], compress=True)


def place_of(cursor: str, selection: Selection) -> Place:
    """The place that a cursor stands for. Raises BadCursor."""
    try:
        question, start, group = SIGNER.unsign_object(cursor)
    except BadSignature:
        raise BadCursor from None
    if question != _question(selection):
        raise BadCursor
    return Place(datetime.fromisoformat(start).astimezone(UTC), tuple(group))


def _question(selection: Selection) -> str:
    """What the rows are of, in short. Of a range up to now the days are no part of it: it goes on while it is read."""
    chosen = selection.range
    dates = (chosen.first, chosen.through) if chosen.name == "custom" else ()
    said = (
        selection.organization.pk,
        chosen.name,
        *map(str, dates),
        selection.step.value,
        selection.by,
        selection.subgroup,
        selection.filters,
        selection.excluded,
        *([selection.organization.scope.values] if selection.organization.scope else []),
    )
    return sha256(repr(said).encode()).hexdigest()[:16]
