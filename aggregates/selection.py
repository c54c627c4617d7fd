"""What a page is asked to show, as a value: made by its form, and turned into queries by tiles, charts and tables."""

from dataclasses import dataclass, replace

from aggregates.models import Organization
from aggregates.queries import Bucket, UsageQuery
from aggregates.ranges import Range

DEFAULT_BY = "model"


@dataclass(frozen=True)
class Selection:
    """A range of an organization's usage, with the dimension to break it down by and at most one value each to keep."""

    organization: Organization
    range: Range
    by: str = DEFAULT_BY
    filters: tuple[tuple[str, str], ...] = ()

    @property
    def is_hourly(self) -> bool:
        """Whether it is drawn by the hour: a short range is, as long as its calls are kept."""
        log_from = self.organization.log_from
        return self.range.is_hourly and not (log_from and self.range.first < log_from)

    def over_time(self, by: str | None = None, top: int | None = None) -> UsageQuery:
        """By hour or by day, as the range has it."""
        return self._query(Bucket.HOUR if self.is_hourly else Bucket.DAY, by, top)

    def in_all(self, by: str | None = None, top: int | None = None) -> UsageQuery:
        """Over the whole range."""
        return self._query(Bucket.TOTAL, by, top)

    @property
    def before(self) -> "Selection":
        """The same of the range before."""
        return replace(self, range=self.range.before)

    def _query(self, bucket: Bucket, by: str | None, top: int | None) -> UsageQuery:
        span = self.range.span
        return UsageQuery(self.organization, span.start, span.end, bucket, by, self.filters, top)
