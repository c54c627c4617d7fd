"""Template tags and filters of the usage pages."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString

from aggregates import formats, health, money
from aggregates.charts.figures import Figure, FigureEncoder
from aggregates.forms import query_string, with_filter
from aggregates.selection import Selection
from aggregates.wallclock import abbreviation, day_words

register = template.Library()

register.filter("named", formats.named)
register.filter("count", formats.count)
register.filter("compact", formats.compact)
register.filter("cost", formats.cost)
register.filter("money", money.shown)


@register.filter
def percent(share: Decimal) -> str:
    return formats.percent(share, 100)


@register.simple_tag
def figure(drawn: Figure, element_id: str) -> SafeString:
    """The figure's JSON, where the page's script finds it."""
    return json_script(drawn, element_id, FigureEncoder)


@register.simple_tag
def site_problems() -> tuple[health.Problem, ...]:
    """What staff should know of: what is wrong with the site now."""
    return health.problems()


@register.simple_tag
def link_to(selection: Selection) -> str:
    return query_string(selection) or "?"


@register.simple_tag
def link_with(selection: Selection, name: str, value: str) -> str:
    """The same view, of calls with this value only."""
    return query_string(with_filter(selection, name, value)) or "?"


@register.simple_tag
def link_without(selection: Selection, name: str) -> str:
    """The same view without that filter."""
    return query_string(with_filter(selection, name, None)) or "?"


@register.filter
def plain(number: Decimal) -> str:
    """For an attribute: two decimals, a point, no separators."""
    return f"{number:.2f}"


@register.simple_tag
def moment(instant: datetime, zone: str) -> str:
    """A moment on the zone's wall clock: “23 Nov 2026 14:05 UTC”."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{day_words(local.date())} {local:%H:%M} {abbreviation(local)}"


register.simple_tag(day_words, name="day")
