"""The dashboard as one HTML file that opens without the site, or any other: charts, tables, and where it is from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from aggregates.domain.texts import cut
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import Figure, as_text
from aggregates.web.pages.dashboard import Dashboard

STYLES = ("tokens", "base", "controls", "tiles", "cards", "charts", "tables", "day-notes", "file", "print")
# The part of plotly.js that pages load: a quarter of the one that Plotly's package would put in.
PLOTLY = "plotly/plotly-basic.min.js"
SCRIPTS = ("aggregates/js/colours.js", "aggregates/js/ticks.js", "aggregates/js/file.js", "aggregates/js/subgroups.js")
CONFIG = {"displayModeBar": False, "responsive": True, "showTips": False}
LEGEND = {"orientation": "h", "y": -0.14, "traceorder": "normal", "itemsizing": "constant"}
OF_PAGES = ("totals", "differences", "groups")  # what boxes of values at a pointer are made of
LINE = 36  # characters that legends and boxes of values have in a line, which is no wider than a phone
END = re.compile("</(script|style)", re.IGNORECASE)


@dataclass(frozen=True)
class Chart:
    """A chart as markup, with its numbers by time."""

    drawn: Drawn
    markup: SafeString
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def as_html(dashboard: Dashboard) -> Iterator[bytes]:
    """Write the file, piece by piece."""
    context = {
        "dashboard": dashboard,
        "selection": dashboard.selection,
        "organization": dashboard.selection.organization,
        "charts": [_chart(drawn) for drawn in dashboard.charts],
        "styles": [_inlined(f"aggregates/css/{name}.css") for name in STYLES],
        "scripts": {"plotly": _inlined(PLOTLY), "own": [_inlined(name) for name in SCRIPTS]},
    }
    yield render_to_string("aggregates/file.html", context).encode()


def _chart(drawn: Drawn) -> Chart:
    traces: list[Figure] = drawn.figure["data"]
    texts = zip(*(trace["customdata"] for trace in traces), strict=True)
    times = drawn.figure["layout"]["meta"]["times"]
    names = tuple(trace["name"] for trace in traces)
    return Chart(drawn, _markup(drawn), names, tuple(zip(times, texts, strict=False)))


def _markup(drawn: Drawn) -> SafeString:
    """Have Plotly write the chart, which draws itself with the plotly.js that the file has. Its JSON ends no script."""
    from plotly.io import to_html  # here: to load it takes a moment, and most processes never write such a file

    written: str = to_html(
        _opened(drawn.figure),
        config=CONFIG,
        include_plotlyjs=False,
        full_html=False,
        validate=False,
        div_id=f"chart-{drawn.name}",
        default_height="100%",
    )
    return mark_safe(written)  # noqa: S308 (Plotly escapes it)


def _opened(figure: Figure) -> Figure:
    """Give the figure what stands around it on the page: a legend, which shows and hides, and values at the pointer.
    One may zoom into it."""
    layout: Mapping[str, Any] = figure["layout"]
    times = layout["meta"]["times"]
    traces = [
        {
            **trace,
            "name": as_text(cut(trace["name"], LINE)),
            "customdata": list(trace["customdata"]),
            **_hidden(trace),
            **_hover(trace, times),
        }
        for trace in figure["data"]
    ]
    _name_groups(traces, layout["meta"].get("groups", ()))
    of_file = {
        "showlegend": len(traces) > 1,
        "legend": LEGEND,
        "dragmode": "zoom",
        "hovermode": "closest",
        "xaxis": {**layout["xaxis"], "fixedrange": False},
    }
    meta = {name: member for name, member in layout["meta"].items() if name not in OF_PAGES}
    return {"data": traces, "layout": {**layout, **of_file, "meta": meta}}


def _name_groups(traces: Sequence[Figure], groups: Sequence[Figure]) -> None:
    """Have the legend name groups that have subgroups once, and show and hide all of one together."""
    named = set()
    for trace in traces:
        number = trace["meta"].get("group")
        if number is not None:
            name = as_text(cut(groups[number]["name"], LINE))
            trace |= {"name": name, "legendgroup": f"group-{number}", "showlegend": number not in named}
            named.add(number)


def _hidden(trace: Figure) -> Figure:
    """Keep in the legend what the page hides: from there it can be shown again."""
    return {} if trace.get("visible", True) else {"visible": "legendonly"}


def _hover(trace: Figure, times: Sequence[str]) -> Figure:
    texts = zip(times, trace["customdata"], strict=True)
    lines = [f"{time}<br>{_in_lines('  '.join((trace['name'], text)))}" for time, text in texts]
    return {"hovertext": lines, "hoverinfo": "text"}


def _in_lines(words: str) -> str:
    return "<br>".join(map(as_text, wrap(words, LINE, drop_whitespace=False))) if len(words) > LINE else as_text(words)


@cache
def _inlined(name: str) -> SafeString:
    """Read a script or a style sheet of ours, as it may stand within its element."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(f"{name} is missing: make install puts it there.")
    content = Path(found).read_text(encoding="utf-8")
    return mark_safe(END.sub(r"<\\/\1", content))  # noqa: S308 (our own)
