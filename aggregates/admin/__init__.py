"""Django's admin, for those who run the site: accounts, organizations, calls, aggregates, and runs of the tasks."""

from django.contrib import admin

from aggregates.admin import (
    audit,
    breakdowns,
    calls,
    days,
    keys,
    organizations,
    people,
    prices,
    runs,
    tasks,
    users,
)

__all__ = [
    "audit",
    "breakdowns",
    "calls",
    "days",
    "keys",
    "organizations",
    "people",
    "prices",
    "runs",
    "tasks",
    "users",
]

admin.site.site_header = "Usage administration"
admin.site.site_title = "Usage administration"
admin.site.index_title = "Tables"
