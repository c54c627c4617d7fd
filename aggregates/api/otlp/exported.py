"""What became of a request of spans or log records, by whichever way it came: all answers and accounts are of this."""

from dataclasses import dataclass, field

from aggregates.api.arrivals import add_overlaps, add_told
from aggregates.api.recording import Rejection
from aggregates.ingest.arrivals import Tally
from aggregates.ingest.otlp.not_understood import NotUnderstood
from aggregates.ingest.reports import Overlaps
from aggregates.models import ArrivalOutcome

MAX_TOLD = 5  # items of which it is told what became of them: they are often all the same


@dataclass(slots=True)
class Exported:
    """What became of the items of a request that are calls or look like one; all others were left out.

    Items are named by their numbers in the request.
    """

    item: str  # what one is called
    accepted: int = 0  # calls that are new in the log
    rejections: list[Rejection] = field(default_factory=list)
    misfits: list[Rejection] = field(default_factory=list)  # recorded, but for a field
    not_understood: list[NotUnderstood] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)  # of calls that count already, or with another item
    # Calls that count, by their spans, and spans of others that count, too, and are likely the same.
    doubts: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    overlaps: Overlaps = field(default_factory=Overlaps)
    no_calls: int = 0  # items that were only read for what they tell of others

    def words(self) -> str:
        """Say what became of items otherwise than their sender may expect; "" where nothing did."""
        return "; ".join(
            [
                *self._reasons([*self.rejections, *self.misfits]),
                *self._listed([one.index for one in self.not_understood], "looks like a call and was not understood"),
                *self._listed(self.duplicates, "tells a call that counts already, and was not counted again"),
                *self._doubtful(),
            ]
        )

    def add_to(self, tally: Tally) -> None:
        """Count what became of the items; those that were not understood are named by scope and name."""
        tally.add(ArrivalOutcome.ACCEPTED, self.accepted)
        tally.add(ArrivalOutcome.DUPLICATE, self.overlaps.repeated)
        for item in self.not_understood:
            tally.add(ArrivalOutcome.NOT_UNDERSTOOD, reason=item.name)
        add_told(tally, self.rejections, self.misfits, self.no_calls)
        add_overlaps(tally, self.overlaps)

    def _reasons(self, told: list[Rejection]) -> list[str]:
        reasons = [
            f"{self.item} {one.index}: {one.field}: {one.reason}"
            if one.field
            else f"{self.item} {one.index}: {one.reason}"
            for one in told[:MAX_TOLD]
        ]
        return [*reasons, *_more(len(told))]

    def _listed(self, indexes: list[int], what: str) -> list[str]:
        return [*(f"{self.item} {index}: {what}" for index in indexes[:MAX_TOLD]), *_more(len(indexes))]

    def _doubtful(self) -> list[str]:
        told = [f"{call} and {', '.join(others)} may be one call; each counts" for call, others in self.doubts]
        return [*told[:MAX_TOLD], *_more(len(told))]


def _more(told: int) -> list[str]:
    return [f"and {told - MAX_TOLD:,} more"] if told > MAX_TOLD else []
