"""The history of runs."""

from django.contrib import admin

from aggregates.admin.readonly import ReadOnlyAdmin
from aggregates.models import Outcome, RollUpRun


@admin.register(RollUpRun)
class RollUpRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "job", "outcome", "first_words", "took", "days", "rows", "compared", "mismatches")
    fields = (
        ("job", "outcome"),
        ("started_at", "finished_at", "took"),
        ("days", "rows"),
        ("compared", "mismatches"),
        "differences",
        "error",
    )
    list_filter = ("job", "started_at")
    readonly_fields = ("outcome", "took")
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="outcome")
    def outcome(self, run: RollUpRun) -> str:
        return Outcome(run.outcome).label

    @admin.display(description="took")
    def took(self, run: RollUpRun) -> str | None:
        return f"{run.duration.total_seconds():,.1f} s" if run.duration is not None else None

    @admin.display(description="error, or what differed")
    def first_words(self, run: RollUpRun) -> str:
        words = run.error or run.differences
        return f"{words[:120]}…" if len(words) > 120 else words
