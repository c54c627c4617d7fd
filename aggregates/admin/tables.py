"""What every table of the admin does: it refuses filters that cannot be read, groups digits, and leads to the site."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError
from django.db.models import DecimalField, IntegerField, Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from aggregates.accounts.access import Permission, open_to
from aggregates.models import Organization

Column = str | Callable[[Any], Any]


class CheckedList(ChangeList):
    """Takes any lookup of any field from its address, as Django's does; some fail only when they are asked."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        try:
            super().__init__(*arguments, **rest)
        except (ArithmeticError, ValueError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class TableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """`site_page` names the address of the organization's page that shows a row, "" where there is none, and
    `site_permission` what opens it."""

    site_page = ""
    site_permission = Permission.SEE
    links_in_list = False  # beside each row

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CheckedList

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """List the columns as the admin of a table names them."""
        return tuple(self.list_display)

    def get_list_display(self, request: HttpRequest) -> tuple[Column, ...]:
        shown = tuple(_grouped(self.model, column) for column in self.columns(request))
        return (*shown, self._link_for(request)) if self.links_in_list else shown

    def site_address(self, row: Any) -> str:
        """Return the address of the page that shows the row."""
        return reverse(self.site_page, args=[organization_of(row).slug])

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        return self.site_address(obj) if obj is not None and self.site_page else None

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, **rest: Any
    ) -> HttpResponse:
        """Lead to the site only who is let in there: staff are, as members or platform readers."""
        response = super().render_change_form(request, context, *arguments, **rest)
        if isinstance(response, TemplateResponse) and response.context_data and self.site_page:
            row = response.context_data.get("original")
            response.context_data["has_absolute_url"] = row is not None and self._open_to(request)(organization_of(row))
        return response

    def _link_for(self, request: HttpRequest) -> Column:
        is_open = self._open_to(request)

        @admin.display(description="on the site")
        def link(row: Any) -> str:
            organization = organization_of(row)
            if not is_open(organization):
                return organization.slug
            return format_html('<a href="{}">{}</a>', self.site_address(row), organization.slug)

        return link

    def _open_to(self, request: HttpRequest) -> Callable[[Organization], bool]:
        return open_to(request.user, self.site_permission)  # type: ignore[arg-type]


def organization_of(row: Any) -> Organization:
    found: Organization = row if isinstance(row, Organization) else row.organization
    return found


def _grouped(model: type[Model], column: Column) -> Column:
    """Show a number with its digits in groups; leave other columns as they are."""
    try:
        field = model._meta.get_field(column) if isinstance(column, str) else None
    except FieldDoesNotExist:
        return column
    if field is None or not isinstance(field, IntegerField | DecimalField) or field.choices or field.primary_key:
        return column

    @admin.display(description=field.verbose_name, ordering=field.name)
    def number(row: Any) -> str | None:
        value = getattr(row, field.name)
        if isinstance(value, Decimal):
            return f"{value.normalize():,f}"  # all of it, without the zeros behind
        return None if value is None else f"{value:,}"

    number.__name__ = field.name
    return number
