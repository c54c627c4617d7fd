"""Template tags and filters of the usage pages."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from aggregates import __version__
from aggregates.domain import formats, money, texts
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.locales import MINUS
from aggregates.domain.ranges import of_days
from aggregates.domain.wallclock import abbreviation, day_words, moment_words, span_words
from aggregates.models import DayNote
from aggregates.ops import health
from aggregates.ops.demo import login
from aggregates.query.addresses import (
    flat,
    parameters_beside_range,
    query_of_change,
    query_of_pairs,
    query_string,
    range_parameters,
    written,
)
from aggregates.query.display_measures import MEASURES, Unit
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.notes import Note
from aggregates.query.selection import CALL_COLUMNS, CONTROLS, CallSelection, GroupSelection, Selection, handle_of
from aggregates.web.charts import packing
from aggregates.web.charts.chart import Drawn
from aggregates.web.charts.figures import Figure, Series, write_json
from aggregates.web.names import name_of, text_of_group
from aggregates.web.pages.bar_links import links_of, packed
from aggregates.web.pages.comparing import Comparison, comparison_of, other_way
from aggregates.web.pages.dashboard import others_of, rest_of
from aggregates.web.pages.openers import Opener, address_by, opener_of
from aggregates.web.pages.organizations import Organizations
from aggregates.web.pages.picker import Picker, picker_of
from aggregates.web.pages.sentences import signed

BREAKABLE = re.compile(r"(?<!<)([/_.:@])(?=\w)")  # not where a tag ends

IN_TITLE = 3  # filters that a title names
OPTION, SELECTED = '<option value="{}"{}>{}</option>', ("", mark_safe(" selected"))

AMOUNT = re.compile(f"([+{MINUS}]\\$[0-9.,]{{1,24}})")
WHOLE = '<span class="amount">{}</span>'
register = template.Library()

register.filter("named", texts.named)
register.filter("shown", texts.shown)
register.filter("visible", texts.visible)
register.filter("handle", handle_of)
register.filter("count", formats.count)
register.filter("compact", formats.compact)
register.filter("quantity", formats.quantity)
register.filter("compact_quantity", formats.compact_quantity)
register.filter("cost", formats.cost)
register.filter("exact_cost", formats.exact_cost)
register.filter("money", money.display)
register.filter("exact_money", money.display_exact)


@register.filter
def price(text: str) -> str:
    """Write a price that is kept as text, with every digit."""
    return money.display_exact(Decimal(text))


@register.simple_tag
def price_query(
    model: str, provider: str = "", priced_as: str = "", *, first: date | None = None, last: date | None = None
) -> str:
    """Write the URL query that leads to the price of a model, or to its past calls of some days."""
    named = {"model": model, "provider": provider, "as": priced_as, "first": first, "last": last}
    return urlencode({name: value for name, value in named.items() if value})


register.filter("signed", signed)
register.filter("exact_percent", formats.exact_percent)


@register.simple_tag
@lru_cache
def measure_options(chosen: str) -> SafeString:
    """What a page can show, as options of which one is chosen."""
    return format_html_join("\n", OPTION, ((each.name, SELECTED[each.name == chosen], each.label) for each in MEASURES))


@register.simple_tag
@lru_cache
def dimension_options(
    chosen: str | None = None, *, without: str | None = None, before: str = "", after: str = ""
) -> SafeString:
    """The dimensions, as options of which one may be chosen; with what stands `before` a name in its value, and `after`
    it in words."""
    names = [dimension.name for dimension in DIMENSIONS if dimension.name != without]
    return format_html_join("\n", OPTION, ((before + name, SELECTED[name == chosen], name + after) for name in names))


@register.simple_tag
def version() -> str:
    """Tell which version of the site this is."""
    return __version__


@register.filter
def percent(share: Decimal) -> str:
    return formats.percent(share, 100)


@register.filter
def unbroken(sentence: str) -> SafeString:
    """Let no line end between a minus and its amount."""
    parts = enumerate(AMOUNT.split(sentence))
    return format_html_join("", "{}", ((format_html(WHOLE, part) if nth % 2 else part,) for nth, part in parts))


@register.filter
def recorded(text: str) -> SafeString:
    """Show a recorded text on a page: apart from what stands beside it, and with what cannot be seen spelled out."""
    return _recorded(text) if text else SafeString()


@lru_cache(maxsize=10_000)  # a page names the same groups again and again
def _recorded(text: str, longest: int | None = None) -> SafeString:
    shown = texts.set_apart(texts.visible(text))
    return format_html("<bdi>{}</bdi>", texts.cut(shown, longest) if longest else shown)


@register.filter
def name(key: str | None) -> SafeString:
    """Show the name of a group, which looks another way where it is a word of ours."""
    return recorded(key) if key else format_html('<i class="ours">{}</i>', texts.named(key))


@register.filter
def in_lines(key: str | None) -> SafeString:
    """Show the name of a group, which a line may also break behind its slashes, underscores, dots and colons."""
    return _breakable(name(key))


@lru_cache(maxsize=10_000)
def _breakable(shown: SafeString) -> SafeString:
    return mark_safe(BREAKABLE.sub(r"\1<wbr>", shown))  # noqa: S308 (escaped, and no tag in it has any of them)


@register.filter
def days_of_note(note: Note | DayNote) -> str:
    """The days of a note: “5 Jul 2025”, “1 – 5 Jul 2025”."""
    return span_words(note.first, note.last or note.first)


@register.simple_tag
def name_in_lines(selection: Selection, dimension: str, value: str | None) -> SafeString:
    """The name of a dimension's value, which a line may break as `in_lines` has it."""
    return in_lines(text_of_group(selection.organization, dimension, value))


@register.simple_tag
def name_in_legend(selection: Selection, dimension: str, value: str | None) -> SafeString:
    """The same, with its middle left out where it is long: whole it is in titles and tables."""
    text = text_of_group(selection.organization, dimension, value)
    return _breakable(_recorded(text, texts.IN_LEGEND) if text else name(text))


@register.simple_tag
def name_of_value(selection: Selection, dimension: str, value: str) -> str:
    return name_of(selection.organization, dimension, value)


def _script(value: Any, element_id: str) -> SafeString:
    """Write what a script of the page reads from the element of that name; nothing in it ends the element."""
    text = write_json(value).replace("&", "\\u0026").replace("<", "\\u003C").replace(">", "\\u003E")
    return mark_safe(f'<script id="{escape(element_id)}" type="application/json">{text}</script>')  # noqa: S308 (as said)


@register.simple_tag
def figure(drawn: Figure, element_id: str, charts: Sequence[Drawn] = ()) -> SafeString:
    """The figure's JSON, where the page's script finds it; without its axis, where that is the one of the charts."""
    return _script(packing.packed(drawn, charts[0].figure if charts else None), element_id)


@register.simple_tag
def axis(charts: Sequence[Drawn]) -> SafeString:
    """The time that the page's charts share, where its script finds it."""
    shared = packing.axis_of(charts[0].figure) if charts else None
    return _script(shared, "axis") if shared else SafeString()


@register.simple_tag
def total_of(one: Series, unit: Unit) -> str:
    """What a series comes to over all buckets."""
    return one.total_text(unit)


@register.simple_tag
def site_problems() -> tuple[health.Problem, ...]:
    """What staff should know of: what is wrong with the site now."""
    return health.problems()


@register.simple_tag
def demo_warning() -> str:
    """What staff should know of the demo's login."""
    return login.warning()


@register.simple_tag
def link_to(selection: Selection) -> str:
    return query_string(selection) or "?"


@register.simple_tag
def link_with(selection: Selection, name: str, value: str) -> str:
    """The same view, of calls with this value only."""
    return query_of_change(selection, selection.with_filter(name, value), "only", name, value) or "?"


@register.simple_tag
def link_without(selection: Selection, name: str, value: str) -> str:
    """The same view without that filter."""
    return query_of_change(selection, selection.without(name, value), "drop", name, value) or "?"


@register.simple_tag
def link_excluding(selection: Selection, name: str, value: str) -> str:
    """The same view of calls with other values."""
    return query_of_change(selection, selection.excluding(name, [value]), "leave", name, value) or "?"


@register.simple_tag
def link_within(selection: Selection, key: str, subkey: str) -> str:
    """The same view of a subgroup of a group only."""
    pairs = [(selection.by or "", key), (selection.subgroup or "", subkey)]
    return query_of_pairs(selection, selection.within(key, subkey), pairs) or "?"


@register.simple_tag
def link_to_subgroups(selection: Selection, key: str) -> str:
    """The same view of a group only, broken down by what its subgroups are."""
    whole = replace(selection, by=selection.subgroup, subgroup=None, hidden=())
    name = selection.by or ""
    return query_of_change(whole, whole.with_filter(name, key), "only", name, key) or "?"


@register.simple_tag
def link_to_part(selection: Selection, one: Series, part: Series) -> str:
    """The same view of a subgroup of a series, or of what is shown as the rest of it."""
    key = one.key or ""
    if part.subkey is not None:
        return link_within(selection, key, part.subkey)
    return query_string(rest_of(selection, key, [each.subkey for each in one.parts])) or "?"


@register.simple_tag
def link_to_others(selection: Selection, name: str, keys: Sequence[str | None]) -> str:
    """The same view of what is shown as Other."""
    return query_string(others_of(selection, name, keys)) or "?"


@register.simple_tag
def link_to_kind(selection: CallSelection, status: str) -> str:
    """The same range of calls of another kind."""
    return query_string(replace(selection, status=status)) or "?"


@register.simple_tag
def link_sorted(selection: CallSelection, sort: str) -> str:
    """The same calls in another order."""
    return query_string(replace(selection, sort=sort)) or "?"


@register.simple_tag
def link_to_groups(selection: Selection, name: str) -> str:
    """All groups of a dimension in the same view."""
    return query_string(replace(selection, by=name, hidden=())) or "?"


@register.simple_tag
def link_by(selection: Selection, name: str) -> str:
    """The same view, broken down by another dimension."""
    return query_string(replace(selection, by=name, hidden=())) or "?"


@register.simple_tag
def link_ordered(selection: GroupSelection, order: str) -> str:
    """The same groups in another order."""
    return query_string(replace(selection, order=order)) or "?"


@register.simple_tag
def link_to_whole_range(selection: CallSelection) -> str:
    return query_string(replace(selection, part=None)) or "?"


@register.simple_tag
def link_page(selection: Selection, name: str, place: object) -> str:
    """The page of a list that ends `before` a place, or begins `after` it; or that has a number."""
    query = query_string(selection)
    return f"{query}{'&' if query else '?'}{name}={place}"


@register.simple_tag
def link_to_organizations(chosen: Organizations, by: int) -> str:
    """So many pages on in the list of a reader's organizations."""
    found = {"find": chosen.sought} if chosen.sought else {}
    return written({**found, "page": str(chosen.number + by)})


@register.simple_tag
def bar_links(selection: Selection, charts: Sequence[Drawn]) -> SafeString:
    """Where the page's bars lead, where its script finds it."""
    return _script(packed(links_of(selection, charts)), "bar-links")


@register.simple_tag(takes_context=True)
def picker(context: Context) -> Picker:
    """The picker of the page's range; its links keep what else the page shows, but for a part of the range."""
    selection = context.get("selection")
    if isinstance(selection, CallSelection):
        selection = replace(selection, part=None)
    return picker_of(context["form"], parameters_beside_range(selection) if selection else {})


@register.simple_tag
def page_title(selection: Selection, of: str = "") -> str:
    """What the browser calls the page: the range, what it is filtered by, and whose usage it is."""
    whose = selection.organization
    kept = [f"{name} {name_of(whose, name, value)}" for name, value in selection.filters]
    kept += [f"not {name} {name_of(whose, name, value)}" for name, value in selection.excluded]
    more = [f"{formats.count(len(kept) - IN_TITLE)} more filters"] if len(kept) > IN_TITLE + 1 else kept[IN_TITLE:]
    parts = [of, selection.range.words, *kept[:IN_TITLE], *more, texts.shown(whose.name), "Usage"]
    return " · ".join(filter(None, parts))


@register.simple_tag
def link_with_dates(selection: Selection) -> str:
    """The same view of the days that are shown, whenever it is opened."""
    chosen = selection.range
    dates = of_days("custom", chosen.first, chosen.last, chosen.zone)
    return query_string(replace(selection, range=dates))


@register.simple_tag
def link_measuring(selection: Selection, measure: str) -> str:
    """The same view of another measure."""
    return query_string(replace(selection, measure=measure, hidden=())) or "?"


@register.simple_tag
def link_unfiltered(selection: Selection) -> str:
    return query_string(replace(selection, filters=(), excluded=(), hidden=())) or "?"


@register.simple_tag
def comparisons(form: DashboardForm, selection: Selection) -> Comparison:
    """What the page can be compared with."""
    return comparison_of(form, selection)


@register.simple_tag
def opener(selection: Selection, dimension: str, value: str) -> Opener | None:
    """Where what within a driver has changed is shown; None where no aggregate can tell that."""
    return opener_of(selection, dimension, value)


@register.simple_tag
def opened_by(selection: Selection, dimension: str, by: str) -> Opener:
    """Where what within the driver that a selection is filtered to is shown by another dimension."""
    return address_by(selection, dimension, by)


@register.simple_tag
def link_by_day(selection: Selection) -> str:
    """The same view, compared by the day, or no longer."""
    return query_string(other_way(selection)) or "?"


@register.inclusion_tag("aggregates/_hidden_inputs.html")
def hidden_inputs(selection: Selection, *, controlled: bool) -> dict[str, list[tuple[str, str]]]:
    """The view's parameters as inputs of a form; without those that have controls, if they are in the form."""
    parameters: dict[str, str | list[str]] = {}
    parameters |= {} if controlled else range_parameters(selection.range)
    for name, value in parameters_beside_range(selection).items():
        if not (controlled and name in CONTROLS):
            parameters[name] = value
    return {"inputs": flat(parameters)}


@register.inclusion_tag("aggregates/_columns.html")
def columns_menu(selection: Selection) -> dict[str, Any]:
    """The choice of the columns of the page's tables, which stands in its address."""
    plain: Selection
    if isinstance(selection, CallSelection):
        name, plain = "show", replace(selection, shown=())
        options = [(each, label, each in selection.call_columns) for each, label in CALL_COLUMNS.items()]
    else:
        name, plain = "col", replace(selection, columns=())
        options = [(each.name, each.label, each in selection.shown_columns) for each in MEASURES]
    return {
        "name": name,
        "options": options,
        "inputs": hidden_inputs(plain, controlled=False)["inputs"],
        "plain": "" if plain == selection else query_string(plain) or "?",
    }


@register.filter
def bar(share: Decimal) -> str:
    """The length of a bar for a share in percent: none below 0, as where credits are, and not beyond the whole."""
    return f"{min(max(share, Decimal(0)), Decimal(100)):.2f}"


@register.simple_tag
def moment(instant: datetime, zone: str) -> str:
    """A moment on the zone's wall clock: “23 Nov 2026 14:05 UTC”."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{moment_words(local)} {abbreviation(local)}"


register.simple_tag(day_words, name="day")
