"""Cursor: the CSV of usage events that its dashboard exports, a row a request.

The first of its columns have other names in older exports; the oldest tell nothing of tokens but their total.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aggregates.ingest.dialects.rows import Fields, count, out_of, text_of, value_of
from aggregates.ingest.fitting import Misfit

# Kinds whose requests cost nothing by themselves: what is within a plan is quota, whatever its worth is said to be.
QUOTA = ("included", "free", "no charge", "not charged")
FAILED = ("errored", "aborted")
OUTPUT = ("Output Tokens", "Output")
COST = ("Cost to you", "Cost", "Cost ($)")  # beside what it costs the user, “Cost” is what it is worth
TOTAL_ALONE = "Tokens"
WITH_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")  # between thousands; others are decimal
# Cursor puts the speed behind the name of the model, “gpt-5-fast”; of Grok it is a part of the name.
FAST = re.compile(r"(?!.*grok).*-fast(?:-max)?", re.IGNORECASE)


def read(row: Mapping[str, Any], misfits: list[Misfit]) -> Iterator[Fields]:
    """One call."""
    numbers = {name: str(value or "").replace(",", "") for name, value in row.items()}
    if numbers.get(TOTAL_ALONE, "").strip("0"):
        misfits.append(Misfit("", f"{TOTAL_ALONE} left out: how much of it is input, and how much output, is not told"))
    whole, written, cached = _input(numbers, misfits)
    kind = text_of(row, "Kind").lower()
    yield {
        "timestamp": value_of(row, "Date"),
        "operation": "cursor",
        "model": value_of(row, "Model"),
        "user_id": value_of(row, "User"),
        "status": out_of(value_of(row, "Kind"), lambda kind: "error" if kind.lower().startswith(FAILED) else "ok"),
        "input_tokens": whole,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": count(numbers, "output_tokens", misfits, *OUTPUT),
        "service_tier": "fast" if FAST.fullmatch(text_of(row, "Model")) else "",
        "cost": out_of(value_of(row, *COST), lambda given: _cost(kind, given)),
    }


def _input(row: Mapping[str, str], misfits: list[Misfit]) -> tuple[int, int, int]:
    """All of the input, what of it was written to a cache, and what was read from one.

    “w/ Cache Write” is what was written, or that together with what is “w/o” it: the total tells.
    """
    first = count(row, "cache_write_tokens", misfits, "Input (w/ Cache Write)")
    plain = count(row, "input_tokens", misfits, "Input (w/o Cache Write)")
    cached = count(row, "cached_tokens", misfits, "Cache Read")
    total = count(row, "total_tokens", misfits, "Total Tokens")
    if plain and plain <= first and total == first + cached + count(row, "output_tokens", [], *OUTPUT):
        return first + cached, first - plain, cached
    return first + plain + cached, first, cached


def _cost(kind: str, given: str) -> object:
    """US dollars, 0 for what is quota, None where it is not said or the request was paid with the user's own key."""
    amount = given.strip().removeprefix("$")
    amount = amount.replace(",", "") if WITH_COMMAS.fullmatch(amount) else amount
    if any(word in kind or word in amount.lower() for word in QUOTA):
        return 0
    own_key = "api key" in kind and not amount.strip("0.")
    return None if own_key or amount in ("", "-") else amount
