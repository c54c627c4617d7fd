"""Numbers of a chart in full: the page's script writes costs and counts itself, so here they are written on demand."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload

from aggregates.query.display_measures import COST, COUNT, Number, Unit

WRITTEN_BY_PAGES = {id(COST): "cost", id(COUNT): "count"}  # as static/aggregates/js/figures.js does


class Texts(Sequence[str]):
    """What some numbers are in full, in the reader's notation. `numbers` is what there is to write, None of what has a
    text of its own; `unpriced` are the places of those that are no price, whatever the number."""

    def __init__(
        self,
        unit: Unit,
        write: Callable[[], Sequence[str]],
        numbers: Sequence[Number | None] | None = None,
        unpriced: Sequence[int] = (),
    ) -> None:
        self.unit, self.numbers, self.unpriced, self._write = unit, numbers, unpriced, write

    @property
    def rule(self) -> str:
        """Name how a page writes these numbers; "" if they have to be sent as they are written."""
        return WRITTEN_BY_PAGES.get(id(self.unit), "") if self.numbers is not None else ""

    @cached_property
    def written(self) -> list[str]:
        return list(self._write())

    def __iter__(self) -> Iterator[str]:
        return iter(self.written)

    def __len__(self) -> int:
        return len(self.numbers if self.numbers is not None else self.written)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: Any) -> Any:
        return self.written[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.written == list(other)

    __hash__ = None  # type: ignore[assignment]
