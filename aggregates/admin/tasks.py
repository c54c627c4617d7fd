"""The task cluster's tables, to look at: when tasks run next, which wait, and how those went that ran.

Whoever could write a function's name here would run it, so nobody can.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_q import admin as django_q
from django_q.models import Failure, OrmQ, Schedule, Success

from aggregates.admin.readonly import ReadOnlyAdmin

admin.site.unregister((Schedule, Success, Failure, OrmQ))


class TaskAdmin(ReadOnlyAdmin):
    """Before an admin of django-q2's: its lists without what they do."""

    actions = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(field.name for field in self.model._meta.fields)


@admin.register(Schedule)
class ScheduleAdmin(TaskAdmin, django_q.ScheduleAdmin):  # type: ignore[misc]
    pass


@admin.register(Success)
class SuccessAdmin(TaskAdmin, django_q.TaskAdmin):  # type: ignore[misc]
    pass


@admin.register(Failure)
class FailureAdmin(TaskAdmin, django_q.FailAdmin):  # type: ignore[misc]
    pass


@admin.register(OrmQ)
class QueueAdmin(TaskAdmin, django_q.QueueAdmin):  # type: ignore[misc]
    fields = ("key", "lock", "task_id", "name", "group", "func")
    readonly_fields = fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields
