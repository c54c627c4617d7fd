"""Spans that look like calls, and are none that is understood: named, so that somebody can see what is missing."""

from dataclasses import dataclass

from aggregates.domain.formats import excerpt
from aggregates.ingest.otlp.attributes import AROUND, EXACT_KINDS, FIELD_OF, KINDS, LISTED_KINDS, NO_CALLS
from aggregates.ingest.otlp.clients import OF_AGENTS_ALONE
from aggregates.ingest.otlp.spans import Batch, Seen
from aggregates.ingest.otlp.wanted import LIKE_USAGE

MAX_NAMED = 90  # characters of a scope or a span's name
COUNTS = frozenset({"cached", "cache_write", "output", "reasoning", "total", "usage", "costs", "cost"})
MODEL, PROVIDER, OPERATION = "model", "provider", "gen_ai.operation.name"

# A span without any of these does not look like a call.
SUSPICIOUS = frozenset([LIKE_USAGE, *(name for name, field in FIELD_OF.items() if field in {*COUNTS, MODEL})])


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """An item of a request that looks like a call: its number, and its name after its scope's."""

    index: int
    name: str


def not_understood(batch: Batch) -> list[NotUnderstood]:
    """Find spans that tell usage in words that are not read, or a model and its provider or operation, and are none.

    Those around or within a call that is understood are none of them.
    """
    suspects = [(index, seen) for index, seen in enumerate(batch.spans) if _looks_like_call(seen)]
    if not suspects:
        return []
    calls = {seen.name for seen in batch.spans if seen.is_call}
    around = {outer.name for seen in batch.spans if seen.name in calls for outer in batch.ancestors(seen)}
    return [
        named(index, seen.scope, seen.span.name)
        for index, seen in suspects
        if seen.name not in around and not any(outer.name in calls for outer in batch.ancestors(seen))
    ]


def _looks_like_call(seen: Seen) -> bool:
    attributes = seen.attributes
    if SUSPICIOUS.isdisjoint(attributes) or seen.is_call or _is_known_to_be_none(seen):
        return False
    told = {FIELD_OF.get(name, "") for name, value in attributes.items() if value not in (None, "", 0)}
    return (
        LIKE_USAGE in attributes
        or not told.isdisjoint(COUNTS)
        or (MODEL in told and (PROVIDER in told or OPERATION in attributes))
    )


def _is_known_to_be_none(seen: Seen) -> bool:
    """Whether the span says itself that it is something else than a call."""
    attributes = seen.attributes
    if seen.scope in OF_AGENTS_ALONE:
        return False
    if any(name in attributes for name in AROUND) or attributes.get("gen_ai.operation.name") in NO_CALLS:
        return True
    if seen.asks_for_what_was_made() or seen.is_told_by_record:
        return True
    return any(name in attributes and attributes[name] not in KINDS[name] for name in (*EXACT_KINDS, *LISTED_KINDS))


def named(index: int, scope: str, name: str) -> NotUnderstood:
    """Name an item that was not understood."""
    return NotUnderstood(index, f"{_named(scope) or 'no scope'}: {_named(name) or 'no name'}")


def _named(text: str) -> str:
    return excerpt(text.strip(), MAX_NAMED)
