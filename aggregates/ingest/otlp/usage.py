"""Tokens and cost that attributes tell, in whichever names and texts: of several that tell the same, the largest."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from aggregates.domain.calls import check_cost, check_count
from aggregates.domain.units import OTHER
from aggregates.ingest.billing import told_units, units_of
from aggregates.ingest.documents import Usage, cost_in, parsed, total_cost, usage_of
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.otlp.attributes import FIELD_OF, NAMES, NUMBERS, UNITS
from aggregates.ingest.otlp.values import Attributes
from aggregates.ingest.tokens import Beside, Counts, tokens_of

Number = TypeVar("Number", int, Decimal)
Document = Mapping[str, Any]

# Wholes with their parts; the first two of these do not overlap.
INPUT = ("input_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")
OUTPUT = ("output_tokens", "reasoning_tokens")
DOCUMENTS = frozenset(NAMES["usage"])
READ = frozenset([*NUMBERS, *UNITS, "cost", "costs"])
CALLED = {name: f"{name}_tokens" for name in NUMBERS}  # fields, as misfits are told


def documents_of(attributes: Attributes) -> list[Document]:
    """The objects of usage that texts hold, each within one that is named as its attribute ends, which may tell of
    which side its parts are."""
    if DOCUMENTS.isdisjoint(attributes):  # nearly always
        return []
    named = ((name, parsed(attributes[name])) for name in NAMES["usage"] if name in attributes)
    return [{name.rpartition(".")[2]: document} for name, document in named if document]


def usage_fields(
    attributes: Attributes,
    beside: Beside,
    misfits: list[Misfit],
    field_of: Mapping[str, str] = FIELD_OF,
    documents: Sequence[Document] = (),
) -> dict[str, object]:
    """The fields of a call's tokens and its cost; raises InvalidCall. `beside` says how the client counts."""
    told: dict[str, list[object]] = {}
    for name, value in attributes.items():
        if (field := field_of.get(name)) in READ and value not in (None, ""):
            told.setdefault(field, []).append(value)
    counts = dict.fromkeys(NUMBERS, 0)
    for name in filter(told.__contains__, NUMBERS):
        counts[name] = _largest(CALLED[name], told[name], check_count, misfits) or 0
    usages = [usage for document in documents if (usage := usage_of(document, misfits))]
    costs = [*told.get("cost", ()), *(cost for document in documents if (cost := cost_in(document)) is not None)]
    costs += [cost for text in told.get("costs", ()) if (cost := total_cost(parsed(text))) is not None]
    tokens = _tokens(counts, usages, beside)
    units = _units(told, documents, misfits)
    return {
        **tokens,
        "units": told_units(units, tokens["cached_tokens"]) or None,
        "cost": _largest("cost", costs, check_cost, misfits),
    }


def _units(told: Mapping[str, list[object]], documents: Iterable[Document], misfits: list[Misfit]) -> dict[str, int]:
    """What has a price of its own, by unit; what is told of it and is no number is something else that was billed."""
    found: dict[str, int] = {}
    for name in filter(told.__contains__, UNITS):
        count = _largest(name, told[name], check_count, misfits)
        found[OTHER if count is None else name] = 1 if count is None else count
    for document in documents:
        for name, count in units_of(document).items():
            found[name] = max(count, found.get(name, 0))
    return found


def _tokens(told: dict[str, int], usages: Iterable[Usage], beside: Beside) -> dict[str, int]:
    """Documents that tell a whole tell its parts, too, and how they are counted; the others tell parts alone."""
    written = told.pop("cache_write_5m") + told["cache_write_1h"]
    told["cache_write"] = max(told["cache_write"], written)
    whole = [usage for usage in usages if usage.whole]
    for usage in usages:
        if not usage.whole:
            told = {name: max(count, told[name]) for name, count in usage.counts._asdict().items()}
    found = tokens_of(Counts(**told), beside)
    for usage in whole:
        found = _fuller(found, tokens_of(usage.counts, usage.beside), usage.counts)
    return found


def _fuller(found: dict[str, int], more: dict[str, int], counts: Counts) -> dict[str, int]:
    """What a document tells of the input and of the output in place of what was found, where it tells that whole."""
    if more["input_tokens"]:
        found = {**found, **_largest_parts(found, more, INPUT)}
    if counts.output:
        found = {**found, **_largest_parts(found, more, OUTPUT)}
    return found


def _largest_parts(found: dict[str, int], more: dict[str, int], names: tuple[str, ...]) -> dict[str, int]:
    """A whole and its parts: of the same whole the largest that is told of each part, if they fit; else as `more`."""
    largest = {name: max(found[name], more[name]) for name in names}
    whole, *parts = names
    is_same = found[whole] == more[whole] and sum(largest[name] for name in parts[:2]) <= more[whole]
    return largest if is_same else {name: more[name] for name in names}


def _largest(
    field: str, values: Iterable[object], check: Callable[[object], Number], misfits: list[Misfit]
) -> Number | None:
    """The largest of the values that are one; None, and a misfit if there were others, if none is."""
    if not values:
        return None
    found: Number | None = None
    reason = ""
    for value in values:
        try:
            number = check(value)
        except ValueError as error:
            reason = str(error)
        else:
            found = number if found is None else max(found, number)
    if reason and found is None:
        misfits.append(Misfit(field, f"left out: {reason}"))
    return found
