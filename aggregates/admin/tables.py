"""What every table of the admin does: it refuses filters that cannot be read."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import DataError
from django.http import HttpRequest


class CheckedList(ChangeList):
    """Takes any lookup of any field from its address, as Django's does; some fail only when they are asked."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        try:
            super().__init__(*arguments, **rest)
        except (ArithmeticError, ValueError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class TableAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CheckedList
