"""Where a driver opens: a fragment in place, and the page of it for whoever has no JavaScript."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from aggregates.query.addresses import query_of_change, query_string
from aggregates.query.selection import Selection
from aggregates.web.pages.drivers import choices_within

TELLING = ("model", "operation", "user", "project", "subject")  # what is looked at first


@dataclass(frozen=True, slots=True)
class Opener:
    page: str
    fragment: str


def opener_of(selection: Selection, name: str, value: str) -> Opener | None:
    """Open a value of a dimension by what tells most of those that aggregates hold together with it; None if there is
    none."""
    within = selection.with_filter(name, value)
    choices = {dimension.name for dimension in choices_within(within, name)}
    if not choices:
        return None
    by = replace(selection, by=next((each for each in TELLING if each in choices), min(choices)))
    return _opener(by, query_of_change(by, replace(within, by=by.by), "only", name, value), name)


def address_by(selection: Selection, name: str, by: str) -> Opener:
    """Open the value of the dimension that a selection is filtered to by another one."""
    return _opener(selection, query_string(replace(selection, by=by)), name)


def _opener(selection: Selection, query: str, name: str) -> Opener:
    page, fragment = (reverse(view, args=[selection.organization.slug]) for view in ("changes", "within"))
    return Opener(page + query, f"{fragment}{query}{'&' if query else '?'}{urlencode({'of': name})}")
