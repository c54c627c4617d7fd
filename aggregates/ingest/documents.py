"""Usage and costs in JSON that clients put into one text: in the words of a provider, or of the client."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from aggregates.domain.calls import MAX_COUNT, check_cost, check_count
from aggregates.ingest.billing import OF_TIER
from aggregates.ingest.fitting import Misfit
from aggregates.ingest.tokens import WITHIN, Beside, Counts

MAX_DOCUMENT = 65_536  # characters
MAX_WRITTEN_DICT = 4_096  # characters of a dictionary as Python writes it
MAX_DEPTH = 5  # of objects in objects that are looked through
UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Names of counts, as words with underscores: OpenAI's, Anthropic's, Gemini's, Bedrock's, LangChain's, Langfuse's.
NAMES: Mapping[str, tuple[str, ...]] = {
    "input": ("prompt_tokens", "input_tokens", "input", "prompt_token_count", "input_token_count"),
    "cached": (
        *("cached_tokens", "cache_read_input_tokens", "cache_read_tokens", "cache_read", "input_cache_read"),
        *("input_cached_tokens", "cached_input_tokens", "cached_content_token_count", "cached_prompt_tokens"),
        *("cache_read_input_token_count", "prompt_cache_hit_tokens", "input_cache_read_tokens"),
    ),
    "cache_write": (
        *("cache_creation_input_tokens", "cache_creation_tokens", "cache_creation", "input_cache_creation"),
        *("cache_write_input_tokens", "cache_write_tokens", "cache_write", "input_cache_write"),
        *("cache_write_input_token_count", "input_cache_write_tokens", "input_cache_creation_tokens"),
    ),
    **{
        f"cache_write_{time}": (
            *(f"ephemeral_{time}_input_tokens", f"input_cache_creation_{time}"),
            *(f"input_ephemeral_{time}_input_tokens", f"cache_creation_ephemeral_{time}_input_tokens"),
        )
        for time in ("5m", "1h")
    },
    "output": (
        *("completion_tokens", "output_tokens", "output", "candidates_token_count", "output_token_count"),
        "response_token_count",
    ),
    "reasoning": (
        *("reasoning_tokens", "reasoning", "thoughts_token_count", "output_reasoning", "output_reasoning_tokens"),
        *("reasoning_output_tokens", "thinking_tokens", "thoughts_tokens"),
    ),
    "tools": ("tool_use_prompt_token_count",),
    "total": ("total_tokens", "total", "total_token_count"),
}
FIELD_OF = {name: field for field, names in NAMES.items() for name in names}
OF_WRITES = ("cache_write", "cache_write_5m", "cache_write_1h", "total")  # writes to a cache, and what all are within
# Whose counts are beside each other: those of providers that pass on what they bill, and Langfuse's.
CACHE_BESIDE_INPUT_TOKENS = (
    *("cache_read_input_tokens", "cache_creation_input_tokens", "cache_write_input_tokens"),
    *("cache_read_input_token_count", "cache_write_input_token_count"),
)
OF_TOKENS = "token"  # in names of what can be nothing but a number
COST = "cost"
OWN_KEY, UPSTREAM_COST = "is_byok", "upstream_inference_cost"


class Usage(NamedTuple):
    """What a document tells, and how its author counts; `whole` if it tells more than parts."""

    counts: Counts
    beside: Beside
    whole: bool


def parsed(text: object) -> dict[str, Any]:
    """The object that the text is in JSON, or a dictionary as Python writes it; an empty one for anything else."""
    if not isinstance(text, str) or len(text) > MAX_DOCUMENT:
        return {}
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        found = _written(text)
    return found if isinstance(found, dict) else {}


def _written(text: str) -> object:
    if len(text) > MAX_WRITTEN_DICT or not text.lstrip().startswith("{"):
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def usage_of(document: Mapping[str, Any], misfits: list[Misfit]) -> Usage | None:
    """The usage that a document tells; None if it tells none. A part of which it tells tokens, and no number, is a
    misfit."""
    named: dict[str, int] = {}
    unfit: dict[str, None] = {}
    for name, value in _values(document):
        if told := OF_TIER.fullmatch(name):
            name = f"{told['side'] or ''}{told['part'] or told['tier']}"
        if (count := _count(value)) is not None:
            named[name] = max(count, named.get(name, 0))
        elif name in FIELD_OF and OF_TOKENS in name:
            unfit[FIELD_OF[name]] = None
    fields: dict[str, int] = {}
    for name, count in named.items():
        if field := FIELD_OF.get(name):
            fields[field] = max(count, fields.get(field, 0))
    expected = f"left out: expected a whole number from 0 to {MAX_COUNT:,}"
    misfits += [Misfit(f"{field}_tokens", expected) for field in unfit if field not in fields]
    if not fields:
        return None
    parts = fields.pop("cache_write_5m", 0) + fields.get("cache_write_1h", 0)
    beside_it = sum(count for name, count in named.items() if FIELD_OF.get(name) not in OF_WRITES)
    rest = fields.get("total", 0) - beside_it
    fields["cache_write"] = written(fields.get("cache_write", 0), parts, rest, apart="input" in named)
    beside = _beside(named)
    for whole in ("input", "output"):
        if whole in named:  # in Langfuse's words further kinds are beside it, such as input_audio
            has_all = named[whole] > 0  # also those of a tier
            more = (count for name, count in named.items() if _is_more_of(whole, name, has_all))
            fields[whole] += sum(more)
    return Usage(Counts(**fields), beside, whole="input" in fields or "output" in fields)


def written(told: int, parts: int, rest: int, *, apart: bool) -> int:
    """All that was written to a cache: what is told of it, or of its parts; or both, where parts are told `apart`.
    Whichever of the two is the `rest` of a total is right."""
    if apart and rest in (told + parts, max(told, parts)):
        return rest
    return told + parts if apart and told != parts else max(told, parts)


def _beside(named: Mapping[str, int]) -> Beside:
    if "input" in named or "output" in named:
        return Beside(input="input" in named, output="output" in named)
    if "prompt_token_count" in named or "candidates_token_count" in named:
        return Beside(output=True)
    if "prompt_tokens" not in named and any(name in named for name in CACHE_BESIDE_INPUT_TOKENS):
        return Beside(input=True)
    return WITHIN


def _is_more_of(whole: str, name: str, has_all: bool) -> bool:
    of_tier = has_all and OF_TIER.fullmatch(name)
    return name.startswith(f"{whole}_") and name not in FIELD_OF and not of_tier


def cost_in(document: Mapping[str, Any]) -> Decimal | None:
    """The largest amount that it calls its cost; with what the provider took where the key was the organization's own,
    as OpenRouter tells."""
    told = list(_values(document))
    cost = _largest(value for name, value in told if name == COST)
    if cost is None or (OWN_KEY, True) not in told:
        return cost
    return cost + (_largest(value for name, value in told if name == UPSTREAM_COST) or 0)


def _largest(values: Iterable[object]) -> Decimal | None:
    return max((amount for value in values if (amount := _amount(value)) is not None), default=None)


def total_cost(document: Mapping[str, Any]) -> Decimal | None:
    """Of costs by kind their total, else their sum; None if it holds none."""
    amounts = {str(name): _amount(value) for name, value in document.items()}
    if amounts.get("total") is not None:
        return amounts["total"]
    known = [amount for amount in amounts.values() if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _values(document: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, object]]:
    """What is given in it, at any depth, by its own name in words with underscores."""
    for name, value in document.items():
        if value is not None and value != "":
            yield UPPER.sub("_", str(name)).lower(), value
        if isinstance(value, dict) and depth < MAX_DEPTH:
            yield from _values(value, depth + 1)


def _count(value: object) -> int | None:
    if isinstance(value, bool) or (isinstance(value, str) and not value.isdigit()):
        return None
    try:
        count = check_count(value)
    except ValueError:
        return None
    return count if count <= MAX_COUNT else None


def _amount(value: object) -> Decimal | None:
    if not isinstance(value, (str, int, Decimal, float)):
        return None
    try:
        return check_cost(value)
    except ValueError:
        return None
