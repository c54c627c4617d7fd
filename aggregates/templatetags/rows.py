"""Cells of pages' long tables, written at once: a page has hundreds of them, and a template takes several times as
long."""

from collections.abc import Iterable
from decimal import Decimal
from html import escape

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from aggregates.domain import formats, money
from aggregates.domain.calls import CHARGE
from aggregates.query.selection import Selection
from aggregates.templatetags.usage import bar, link_with, name, name_in_lines, name_of_value, percent
from aggregates.web.pages import calls, groups, tables
from aggregates.web.pages.columns import Cell
from aggregates.web.pages.compared import Compared

SHARE = (
    '<svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="share-track" width="100" '
    'height="6"/><rect class="share-bar" width="{}" height="6"/></svg><span>{}</span>'
)
SIGNS = {"up": "+", "down": "−"}

register = template.Library()


@register.simple_tag
def row_name(selection: Selection, dimension: str, key: str | None, *, is_link: bool = False) -> SafeString:
    """The name of a group, which may lead to the same view of it alone; None is all others."""
    shown = name_in_lines(selection, dimension, key)
    if key is None or not is_link:
        return shown
    title = name_of_value(selection, dimension, key)
    return format_html('<a href="{}" title="{}">{}</a>', link_with(selection, dimension, key), title, shown)


@register.simple_tag
def numbers(line: tables.Line, *, is_total: bool = False) -> SafeString:
    """The cells of a line of a table: its share, but of a total, and its numbers."""
    cells = (f'<td class="number" title="{escape(cell.exact)}">{escape(cell.text)}</td>' for cell in line.cells)
    return _joined([_share(None if is_total else line.share), *cells])


@register.simple_tag
def group_numbers(line: groups.Line, *, is_total: bool = False) -> SafeString:
    """The same of the page of all groups, with how the cost has changed."""
    return _joined([_share(None if is_total else line.share), *(_of_group(cell, line) for cell in line.cells)])


def _of_group(cell: Cell, line: groups.Line) -> str:
    change = ""
    if cell.name == "change":
        text = SIGNS.get(line.change.direction, "") + escape(line.change.text)
        change = f' <span class="change tone-{line.change.tone}">{text}</span>'
    return f'<td class="number of-{cell.name}" title="{escape(cell.exact)}">{escape(cell.text)}{change}</td>'


@register.simple_tag
def amounts(row: Compared) -> SafeString:
    """The cells of what changed: before, now, the difference, and its share of all."""
    told = ((row.before, row.text_before), (row.now, row.text_now), (row.difference, row.text))
    cells = (
        f'<td class="number" title="{escape(money.display_exact(amount))}{row.in_all}">{escape(text)}</td>'
        for amount, text in told
    )
    return _joined([*cells, f'<td class="number share-of">{escape(row.share)}</td>'])


@register.simple_tag
def call_cells(listed: calls.Calls, line: calls.Line, address: str, query: str) -> SafeString:
    """The cells of a row of the list of calls, which has that address and URL query."""
    call = line.call
    link = escape(f"{address}{call.pk}/{query}")
    cells = [f'<td class="time"><a href="{link}" title="{escape(line.moment)}">{escape(line.time)}</a></td>']
    for cell in line.cells:
        text, kind = escape(cell.text), cell.name
        if cell.is_recorded:
            text = name_in_lines(listed.selection, "key", cell.text) if kind == "key" else name(cell.text)
        elif kind == "status":
            text = f"<span>{text}</span>"
        else:
            kind = f"number {kind}"
        if cell.exact or cell.name == "cost":
            about = f'title="{escape(cell.exact)}"' if cell.exact else f'aria-describedby="why-{call.pk}"'
            text = f'<a href="{link}" tabindex="-1" {about}>{text}</a>'
        cells.append(f'<td class="{kind}" data-label="{cell.label}">{text}</td>')
    if listed.has_tokens:
        tokens = "" if call.kind == CHARGE else " → ".join(map(formats.count, (call.input_tokens, call.output_tokens)))
        cells.append(f'<td class="tokens">{escape(tokens)}</td>')
    return _joined(cells)


def _share(share: Decimal | None) -> str:
    return f'<td class="share">{"" if share is None else SHARE.format(bar(share), escape(percent(share)))}</td>'


def _joined(cells: Iterable[str]) -> SafeString:
    return mark_safe("\n".join(cells))  # noqa: S308 (each text in them is escaped)
