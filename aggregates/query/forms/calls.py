"""The state of the list of calls, read from its address."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from aggregates.domain.days import Span
from aggregates.models import Organization
from aggregates.query.call_order import ORDERS
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.fields import CursorField, Instant, choice_of, choices_of
from aggregates.query.listing import KINDS, PageBoundary
from aggregates.query.selection import CALL_COLUMNS, CallSelection


class CallsForm(DashboardForm):
    """And which of the calls to list: `status`, `since` and `until` for a part of the range, `sort` for their order,
    `show` for a column, and where the page begins: `before` or `after` a place in the list, which are older or newer
    calls; by cost, cheaper or dearer ones.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, organization=organization, now=now)
        self.fields["status"] = choice_of(name for name in KINDS if name)
        self.fields["sort"] = choice_of(name for name in ORDERS if name)
        self.fields["show"] = choices_of(CALL_COLUMNS)
        self.fields |= {"since": Instant(required=False), "until": Instant(required=False)}
        self.fields |= {"before": CursorField(required=False), "after": CursorField(required=False)}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        since, until = cleaned.get("since"), cleaned.get("until")
        self._check_places(cleaned)
        if cleaned.get("before") and cleaned.get("after"):
            self.add_error("after", "Expected either this or “before”.")
        if bool(since) != bool(until) and not self.errors:
            self.add_error("until" if since else "since", "Expected a time here, too: a part of a range has both.")
        elif since and until and not self.errors:
            span = self._range_of(cleaned).span
            if not span.start <= since < until <= span.end:
                self.add_error("since", "Expected a part of the range.")
        return cleaned

    def _check_places(self, cleaned: dict[str, Any]) -> None:
        """A place is one of the list in its order."""
        order = ORDERS.get(cleaned.get("sort", ""), ORDERS[""])
        for name in ("before", "after"):
            place = cleaned.get(name)
            if place and not isinstance(place, order.place):
                self.add_error(name, "Expected a place in the list in this order, as its links have it.")

    @property
    def selection(self) -> CallSelection:
        chosen = super().selection
        of_dashboard = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
        if not self.is_valid():
            return CallSelection(**of_dashboard)
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        part = Span(since, until) if since and until else None
        return CallSelection(
            **of_dashboard,
            status=self.cleaned_data["status"],
            part=part,
            sort=self.cleaned_data["sort"],
            shown=tuple(name for name in CALL_COLUMNS if name in self.cleaned_data["show"]),
        )

    @property
    def boundary(self) -> PageBoundary | None:
        """Where the page begins, unless with the newest call."""
        if not self.is_valid():
            return None
        before, after = self.cleaned_data["before"], self.cleaned_data["after"]
        return PageBoundary(before) if before else PageBoundary(after, is_older=False) if after else None
