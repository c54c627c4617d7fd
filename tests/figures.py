"""The figures of a page, made again from what it sends, as its script does."""

import json
import re
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

from aggregates.domain import formats
from aggregates.query.display_measures import COST, COUNT

UNITS = {"cost": COST, "count": COUNT}


def figure_in(page: str, name: str) -> dict[str, Any]:
    """Read a chart's figure, with all digits of its numbers."""
    figure = _json_in(page, f"figure-{name}")
    meta = figure["layout"].get("meta", {})
    if "is_shared" not in meta:
        return figure
    axis = _json_in(page, "axis") if meta["is_shared"] else meta
    times = _times(axis["times"])
    widths = axis["widths"] if isinstance(axis["widths"], list) else [axis["widths"]] * len(times)
    edges = list(accumulate(widths, initial=0))
    middles = [(start + end) / 2 for start, end in pairwise(edges)]
    meta |= {"times": times, "edges": edges, "ticks": axis["ticks"]}
    traces = [_unpacked(trace) | {"x": middles} for trace in figure["data"]]
    if "groups" in meta:
        meta["groups"] = [_group(group, number, traces) for number, group in enumerate(meta["groups"])]
    return {**figure, "data": traces}


def figures_in(page: str) -> list[dict[str, Any]]:
    return [figure_in(page, name) for name in re.findall(r'<script id="figure-(\w+)" type="application/json">', page)]


def _group(group: dict[str, Any], number: int, traces: list[dict[str, Any]]) -> dict[str, Any]:
    """Read a group, whose numbers are the sums of its traces where they are not sent."""
    if "y" not in group:
        columns = [trace["y"] for trace in traces if trace["meta"].get("group") == number]
        group = group | {"y": " ".join(str(sum(values)) for values in zip(*columns, strict=True))}
    return _unpacked(group)


def _unpacked(trace: dict[str, Any]) -> dict[str, Any]:
    numbers = [Decimal(text) if text else None for text in trace["y"].split(" ")]
    meta = trace.get("meta", {})
    if "written" not in meta:
        return trace | {"y": numbers}
    unit = UNITS[meta["written"]]
    texts = ["–" if each is None else unit.text(each if unit is COST else int(each)) for each in numbers]
    for place in meta.get("unpriced", ()):
        texts[place] = formats.NO_PRICE
    return trace | {"y": numbers, "customdata": texts}


def _times(packed: str) -> list[str]:
    times, before = list[str](), ""
    for text in packed.split("|"):
        before = before[: int(text[0], 36)] + text[1:]
        times.append(before)
    return times


def _json_in(page: str, name: str) -> Any:
    (found,) = re.findall(rf'<script id="{name}" type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found, parse_float=Decimal)
