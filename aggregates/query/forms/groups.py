"""The state of the page of all groups, read from its address."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from django import forms

from aggregates.models import Organization
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.fields import PlainInteger, check_text, choice_of
from aggregates.query.groups import ORDERS, REVERSED
from aggregates.query.selection import DEFAULT_BY, GroupSelection

MAX_PAGES = 1_000_000


class GroupsForm(DashboardForm):
    """And how to list the groups: the order, `sort`, with “-” before it the other way round; `find`, a text that their
    names contain; and the number of the `page`.
    """

    def __init__(self, data: Mapping[str, Any], *, organization: Organization, now: datetime) -> None:
        super().__init__(data, organization=organization, now=now)
        self.fields["sort"] = choice_of([*ORDERS, *(REVERSED + name for name in ORDERS)])
        self.fields["find"] = forms.CharField(required=False, validators=[check_text])
        self.fields["page"] = PlainInteger(required=False, min_value=1, max_value=MAX_PAGES)

    @property
    def selection(self) -> GroupSelection:
        chosen = super().selection
        of_dashboard = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
        of_dashboard["by"] = chosen.by or DEFAULT_BY
        if not self.is_valid():
            return GroupSelection(**of_dashboard)
        return GroupSelection(
            **of_dashboard, order=self.cleaned_data["sort"] or "cost", sought=self.cleaned_data["find"]
        )

    @property
    def page(self) -> int:
        return (self.is_valid() and self.cleaned_data["page"]) or 1
