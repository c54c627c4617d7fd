"""Figures as a page sends them: columns of digits, from which its script makes the figure again (figures.js).

What the script can reckon itself is not sent: the middles of buckets, sums, and the words of costs and counts, which it
writes from all of their digits. Nothing is rounded on the way.
"""

from collections.abc import Sequence
from decimal import ROUND_05UP, Context, Decimal
from functools import lru_cache
from os.path import commonprefix
from typing import Any

from aggregates.domain import locales
from aggregates.query.display_measures import Number
from aggregates.web.charts.figures import Figure
from aggregates.web.charts.texts import Texts

# Sums of costs have fewer digits. Of ratios, which may have no end, these are left: rounded so that rounding them again
# comes to the same as rounding what they were.
LONG = Context(prec=28, rounding=ROUND_05UP)
AXIS = ("times", "edges", "ticks")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def axis_of(figure: Figure) -> Figure | None:
    """Give what the charts of a page share: where their buckets are, and how they are called; None of a chart that has
    none over time."""
    meta = figure["layout"].get("meta", {})
    return {**_packed_axis(meta), "notation": _notation()} if "edges" in meta else None


def packed(figure: Figure, shared: Figure | None) -> Figure:
    """Pack a figure; of one over the same time as a `shared` one, without its axis. One that is not over time keeps
    what it is but for the places of its traces, which stand in the first alone."""
    layout, traces = figure["layout"], figure["data"]
    meta = layout.get("meta", {})
    if "edges" not in meta:
        places = traces[0]["x"] if traces else ()
        others = (_without(each, "x") if each["x"] == places else each for each in traces[1:])
        return {**figure, "data": [*traces[:1], *others]}
    is_shared = bool(shared) and all(meta[name] == shared["layout"]["meta"][name] for name in AXIS)  # type: ignore[index]
    own = {name: value for name, value in meta.items() if name not in AXIS}
    axis = {} if is_shared else axis_of(figure) or {}
    totals = _packed_totals(own)
    of_page = own | axis | totals | {"is_shared": is_shared}
    if "groups" in own:
        of_page["groups"] = [_packed_column(each, is_sum=bool(totals)) for each in own["groups"]]
    return {"data": [_packed_trace(each) for each in traces], "layout": {**layout, "meta": of_page}}


def _packed_trace(trace: Figure) -> Figure:
    return _packed_column(_without(trace, "x"))


def _packed_column(trace: Figure, *, is_sum: bool = False) -> Figure:
    """Pack the numbers of a trace, and what they are in full; `is_sum` says that a page can add them up itself."""
    texts = trace["customdata"]
    rule = texts.rule if isinstance(texts, Texts) else ""
    packed_one = _without(trace, "y") if is_sum else trace | {"y": column(trace["y"])}
    if not rule:
        return packed_one
    found = {"unpriced": texts.unpriced} if texts.unpriced else {}
    return _without(packed_one, "customdata") | {"meta": trace.get("meta", {}) | {"written": rule} | found}


def _packed_totals(meta: Figure) -> Figure:
    totals = meta.get("totals")
    if not isinstance(totals, Texts) or not totals.rule:
        return {}
    return {"totals": {"written": totals.rule, "unpriced": totals.unpriced}}


def _packed_axis(meta: Figure) -> Figure:
    edges: Sequence[int] = meta["edges"]
    widths = [end - start for start, end in zip(edges, edges[1:], strict=False)]
    return {
        "times": front_coded(meta["times"]),
        "widths": widths[0] if len(set(widths)) == 1 else widths,
        "ticks": meta["ticks"],
    }


def column(numbers: Sequence[Number | None]) -> str:
    """Write all digits of numbers, and no more; nothing for None."""
    return " ".join([_digits(number) if number else "" if number is None else "0" for number in numbers])


def _digits(number: Number) -> str:
    if not isinstance(number, Decimal):
        return str(number)
    digits = f"{number:f}"
    if len(digits) > LONG.prec:
        digits = f"{LONG.create_decimal(number):f}"
    return digits.rstrip("0").rstrip(".").removeprefix("0") if "." in digits else digits


@lru_cache(maxsize=8)  # a page's axis, which may have thousands of texts, is mostly the one of the page before
def front_coded(texts: tuple[str, ...]) -> str:
    """Write texts without the beginning that each shares with the one before, but for its length, one digit."""
    found, before = list[str](), ""
    for text in texts:
        length = min(len(commonprefix((before, text))), len(DIGITS) - 1)
        found.append(DIGITS[length] + text[length:])
        before = text
    return "|".join(found)


def _notation() -> Figure:
    """Say how the reader writes numbers."""
    locale = locales.current()
    return {
        "decimal": locale.decimal,
        "group": locale.group,
        "lakhs": locale.lakhs,
        "dollars": locale.dollars,
        "minus": locale.minus,
    }


def _without(trace: Figure, name: str) -> dict[str, Any]:
    return {key: member for key, member in trace.items() if key != name}
