"""At which tier a call was billed, and for what besides plain tokens, out of usage as providers and clients tell it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from aggregates.domain.calls import MAX_COUNT
from aggregates.domain.numbers import read_decimal
from aggregates.domain.units import BY_NAME, OTHER, check_units, check_within

MAX_DEPTH = 5  # of objects in objects that are looked through
MAX_ITEMS = 50  # of a list
UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
SIDES = {"prompt": "input", "input": "input", "completion": "output", "candidates": "output", "output": "output"}
MEDIA = ("audio", "image", "video")
# Names of parts of tokens, as words with underscores: each of them of the side that the name itself or the object
# around it says.
OF_MEDIA = re.compile(
    r"(?:(?P<side>input|prompt|output|completion|cached|cache|cache_read)_)?(?P<kind>audio|image|video)"
    r"(?:_tokens|_token_count)?"
)
SEARCHES = {
    **dict.fromkeys(
        ("web_search_requests", "web_search_queries", "num_search_queries", "web_searches"), "web_searches"
    ),
    **dict.fromkeys(("file_search_requests", "file_search_calls"), "file_searches"),
    **dict.fromkeys(("code_execution_requests", "code_interpreter_requests"), "code_executions"),
    **dict.fromkeys(("pages_processed", "pages_processed_annotation"), "pages"),
    "search_units": "rerank_searches",
}
TOOLS = "server_tool_use"  # what Anthropic bills beside the tokens, by tool
FREE = ("web_fetch_requests", "tool_search_requests")
TIERS = ("service_tier", "speed", "inference_geo", "traffic_type")
# Names of parts of usage of a tier, as LangChain has them: the tokens that are plain there, what was cached, reasoning.
OF_TIER = re.compile(r"(?P<side>(?:input|output)_)?(?P<tier>flex|priority)(?:_(?P<part>cache_read|reasoning))?")
OF_SIDE = re.compile(r"(?:input|output|prompt|completion)_tokens?_details")
LONGEST_TIER = 48  # characters, so that several fit together
UNKNOWN = "unknown"  # a tier that has no price


def units_of(document: Mapping[str, Any]) -> dict[str, int]:
    """Find units by name, those that are told to be none included; of several that tell the same, the largest."""
    found: dict[str, int] = {}
    for name, count in _units_in(document, "", 0):
        found[name] = max(count, found.get(name, 0))
    return found


def _units_in(document: Mapping[str, Any], side: str, depth: int) -> Iterator[tuple[str, int]]:
    for key, value in document.items():
        name = UPPER.sub("_", str(key)).lower()
        inner = _side(name, side)
        if isinstance(value, Mapping):
            if name == TOOLS:
                yield from _of_tools(value)
            elif depth < MAX_DEPTH:
                yield from _units_in(value, inner, depth + 1)
        elif isinstance(value, list):
            yield from _of_modalities(value, inner)
        elif (count := _count(value)) is not None and (unit := _unit(name, side)):
            yield unit, count


def _side(name: str, around: str) -> str:
    """Which side an object's counts are of, by its name or by the objects around it."""
    if name.startswith("cache"):
        return "cached"
    return next((side for word, side in SIDES.items() if name.startswith(word)), around)


def _unit(name: str, side: str) -> str:
    if name in SEARCHES:
        return SEARCHES[name]
    if not (told := OF_MEDIA.fullmatch(name)):
        return ""
    of = "cached" if (told["side"] or "").startswith("cache") else SIDES.get(told["side"] or "", side)
    return f"{of}_{told['kind']}_tokens" if of else ""


def _of_tools(tools: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in tools.items():
        name = UPPER.sub("_", str(key)).lower()
        if name not in FREE and (count := _count(value)):
            yield SEARCHES.get(name, OTHER), count


def _of_modalities(counts: list[Any], side: str) -> Iterator[tuple[str, int]]:
    """Gemini's lists of counts by modality."""
    for each in counts[:MAX_ITEMS]:
        if isinstance(each, Mapping) and side:
            kind = str(each.get("modality")).lower()
            count = _count(each.get("tokenCount", each.get("token_count")))
            if kind in MEDIA and count is not None:
                yield f"{side}_{kind}_tokens", count


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, float, str)):
        return None
    if isinstance(value, str) and not value.isascii():
        return None
    try:
        number = read_decimal(value)
    except ArithmeticError:
        return None
    return int(number) if number.is_finite() and 0 <= number <= MAX_COUNT and number == int(number) else None


def told_units(found: Mapping[str, int], cached_tokens: object = 0) -> dict[str, int]:
    """Give the units of a call with so many cached tokens, ready to be checked.

    Where some input was cached and some was audio, and how much was both is not told, there is no price for it.
    """
    units = {name: count for name, count in found.items() if name in BY_NAME and count}
    if not units or not cached_tokens:
        return units
    doubtful = any(
        unit.cached and units.get(unit.name) and unit.cached not in found
        for unit in BY_NAME.values()
        if not unit.is_as_whole
    )
    return {**units, OTHER: units.get(OTHER, 0) + 1} if doubtful else units


def tier_of(document: Mapping[str, Any], names: Iterable[str] = TIERS) -> object:
    """Join what tells the tier; a call checks what of it is plain. An object or a list stays, and is all that does."""
    told = [one for name in names if (one := document.get(name)) and isinstance(one, (str, dict, list))]
    return next((one for one in told if not isinstance(one, str)), "+".join(map(str, told)))


def tiers_in(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Find what tells the tier, by name, in objects at any depth; of several the first."""
    found: dict[str, str] = {}
    for document in documents:
        for name, text in _tiers_in(document, 0):
            found.setdefault(name, text)
    return found


def _tiers_in(document: Mapping[str, Any], depth: int, within: str = "") -> Iterator[tuple[str, str]]:
    """Look in an object that stands `within` another under that name. A count may be named after its tier alone only
    where its side is known: elsewhere “priority” is something else."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            if depth < MAX_DEPTH:
                yield from _tiers_in(value, depth + 1, str(key))
        elif isinstance(value, str) and value and (name := UPPER.sub("_", str(key)).lower()) in TIERS:
            yield name, value
        elif (told := OF_TIER.fullmatch(str(key))) and (told["side"] or OF_SIDE.fullmatch(within)) and _count(value):
            yield "service_tier", told["tier"]


def units_within(found: Mapping[str, int], tokens: Mapping[str, int]) -> dict[str, int]:
    """Give the units of a call with these tokens, where nobody would be told that they do not fit.

    If parts of tokens are more than what they are a part of, something else was billed that is not known.
    """
    units = told_units(found, tokens.get("cached_tokens", 0))
    try:
        check_within(check_units(units), {"cached_tokens": 0, **tokens})
    except ValueError:
        apart = [BY_NAME[name] for name in units if not BY_NAME[name].within]
        kept = {unit.name: units[unit.name] for unit in apart if units[unit.name] <= unit.most}
        return {**kept, OTHER: 1}
    return units


def first_tier(*told: object) -> str:
    """Take the first text that tells a tier; one that is no name of a tier is an unknown one."""
    tier = next((one.strip() for one in told if isinstance(one, str) and one.strip()), "")
    return tier if len(tier) <= LONGEST_TIER and tier.isascii() and tier.isprintable() else UNKNOWN
