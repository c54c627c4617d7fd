"""What became of a request of spans or log records, by whichever way it came: all answers and accounts are of this."""

from dataclasses import dataclass, field

from aggregates.api.recording import Rejection

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
    unclear: list[int] = field(default_factory=list)  # look like calls, and were not understood
    duplicates: list[int] = field(default_factory=list)  # of calls that count already, or with another item
    # Calls that count, by their spans, and spans of others that count, too, and are likely the same.
    doubts: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def words(self) -> str:
        """Say what became of items otherwise than their sender may expect; "" where nothing did."""
        return "; ".join(
            [
                *self._reasons([*self.rejections, *self.misfits]),
                *self._listed(self.unclear, "looks like a call and was not understood"),
                *self._listed(self.duplicates, "tells a call that counts already, and was not counted again"),
                *self._doubtful(),
            ]
        )

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
