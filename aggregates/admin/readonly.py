"""Tables that the admin shows and never writes, and lists of tables too large to count."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest

from aggregates.admin.tables import CheckedList, TableAdmin

LAST_PAGE = 100  # to leave out the pages before means to read them, so there is an end


class ReadOnlyAdmin(TableAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class UncountedList(CheckedList):
    """Reads the rows of one page and one more, which says whether there is a next one; counts nothing."""

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        start = (self.page_num - 1) * size
        if not 1 <= self.page_num <= LAST_PAGE:
            raise IncorrectLookupParameters
        rows = list(self.queryset[start : start + size + 1])
        if not rows and self.page_num > 1:
            raise IncorrectLookupParameters
        self.has_more = len(rows) > size
        self.result_list = rows[:size]
        self.result_count = min(start + len(rows), LAST_PAGE * size)  # as far as it is known
        self.full_result_count = self.result_count  # so that no number of results is shown
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = False
        self.multi_page = self.result_count > size
        self.paginator = Paginator(range(self.result_count), size)


class LargeTableAdmin(ReadOnlyAdmin):
    """For tables of any size: no counts, no sorting but by index, no choices read from the table itself."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_select_related = ("organization",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedList
