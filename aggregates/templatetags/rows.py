"""Cells of pages' long tables, written at once: a page has hundreds of them, and a template takes several times as
long."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from aggregates.domain import formats, money
from aggregates.domain.calls import CHARGE
from aggregates.domain.dimensions import Dimension
from aggregates.query.addresses import queries_of_values
from aggregates.query.selection import Selection
from aggregates.templatetags.usage import bar, link_to_subgroups, name, name_in_lines, name_of_value, percent
from aggregates.web.pages import calls, groups, tables
from aggregates.web.pages.columns import Cell
from aggregates.web.pages.compared import Compared

SHARE = (
    '<svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="share-track" width="100" '
    'height="6"/><rect class="share-bar" width="{}" height="6"/></svg><span>{}</span>'
)
QueryOf = Callable[[str], str]  # of a value
SIGNS = {"up": "+", "down": "−"}

register = template.Library()


@register.simple_tag
def table_lines(selection: Selection, table: tables.Table, *, has_links: bool = False) -> SafeString:
    """The lines of a table. One opens to its subgroups, if there are any: those that are there are hidden, others are
    behind a link."""
    dimension, subgroup = table.dimension.name, table.subgroup
    query_of = queries_of_values(selection, dimension) if has_links else None
    written = []
    for number, line in enumerate(table.lines, 1):
        parts_id = f"parts-{dimension}-{number}"
        about = ' class="other"' if line.key is None else f' data-key="{escape(line.key)}"' if has_links else ""
        shown: str = _row_name(selection, dimension, line.key, query_of)
        if subgroup and line.key is not None and (line.parts or has_links):
            opener = _opener(selection, subgroup, line, parts_id)
            shown = f'<span class="opens">{opener}<span>{shown}</span></span>'
        written.append(f'<tr{about}><th scope="row">{shown}</th>{numbers(line)}</tr>')
        if subgroup and line.parts:
            parts = _joined(_part(selection, subgroup.name, part) for part in line.parts)
            written.append(f'</tbody><tbody id="{parts_id}" hidden>{parts}</tbody><tbody>')
    return _joined(written)


def _row_name(selection: Selection, dimension: str, key: str | None, query_of: QueryOf | None) -> SafeString:
    """Write the name of a group, which may lead to the same view of it alone; None is all others."""
    shown = name_in_lines(selection, dimension, key)
    if key is None or not query_of:
        return shown
    title = name_of_value(selection, dimension, key)
    return _joined([f'<a href="{escape(query_of(key))}" title="{escape(title)}">{shown}</a>'])


def _opener(selection: Selection, subgroup: Dimension, line: tables.Line, parts_id: str) -> str:
    key = line.key or ""
    what = f"{capfirst(subgroup.plural)} of {name_of_value(selection, selection.by or '', key)}"
    hidden = f'<span class="hidden">{escape(what)}</span>'
    if line.parts:
        return f'<button type="button" aria-expanded="false" aria-controls="{parts_id}" data-parts>{hidden}</button>'
    address = escape(link_to_subgroups(selection, key))
    fetches = 'data-parts hx-boost="false" hx-sync="this:drop" hx-indicator="this"'
    return f'<a href="{address}" aria-expanded="false" {fetches}>{hidden}</a>'


def _part(selection: Selection, dimension: str, part: tables.Line) -> str:
    kind = "part other" if part.key is None else "part"
    shown = name_in_lines(selection, dimension, part.key)
    return f'<tr class="{kind}"><th scope="row">{shown}</th>{numbers(part)}</tr>'


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
