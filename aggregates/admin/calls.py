"""The log of calls and charges: newest first, found by request id."""

from datetime import UTC

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from aggregates.admin.readonly import LargeTableAdmin
from aggregates.models import Organization, UsageLog

BY_ORGANIZATION = "organization__id__exact"


@admin.register(UsageLog)
class CallAdmin(LargeTableAdmin):
    site_page = "call"
    list_display = (
        "time",
        "organization",
        "operation",
        "model",
        "user_id",
        "kind",
        "status",
        "input_tokens",
        "output_tokens",
        "cost",
        "request_id",
    )
    list_display_links = ("time", "request_id")
    search_fields = ("request_id",)
    search_help_text = "A whole request id."

    def site_address(self, row: UsageLog) -> str:
        return reverse(self.site_page, args=[row.organization.slug, row.pk])

    @admin.display(description="time (UTC)")
    def time(self, call: UsageLog) -> str:
        return f"{call.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By an index either way: there is one on the id, and one on organization and timestamp."""
        return ("-timestamp",) if BY_ORGANIZATION in request.GET else ("-id",)

    def get_list_filter(self, request: HttpRequest) -> tuple[str, ...]:
        """Within an organization only: over all of them no index leads to a time or a status."""
        return ("organization", "timestamp", "kind", "status") if BY_ORGANIZATION in request.GET else ("organization",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageLog], search_term: str
    ) -> tuple[QuerySet[UsageLog], bool]:
        if not search_term:
            return queryset, False
        # The index of request ids begins with the organization, so all are named.
        organizations = list(Organization.objects.values_list("pk", flat=True))
        return queryset.filter(organization__in=organizations, request_id=search_term.strip()), False
