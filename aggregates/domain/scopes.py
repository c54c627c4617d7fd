"""A scope: the part of an organization's usage that somebody may see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.formats import plural
from aggregates.domain.texts import in_sentence


@dataclass(frozen=True, slots=True)
class Scope:
    """Dimensions, each with the values of it that are in sight: all other usage is not. Without any, all usage is.

    It is no filter, and no values are ever added to it: what is chosen only narrows it.
    """

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, limits: Mapping[str, Iterable[str]]) -> "Scope":
        """Read values by dimension. A dimension without values lets nothing through: nobody sees more by mistake."""
        order = list(BY_NAME)
        return cls(tuple((name, tuple(limits[name])) for name in sorted(limits, key=order.index)))

    def __bool__(self) -> bool:
        """Say whether anything is out of sight."""
        return bool(self.values)

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.values)

    def within(self, name: str, chosen: Iterable[str]) -> tuple[str, ...]:
        """Give the values of a dimension in sight; where some are chosen, those of them: it may be none."""
        wanted = dict.fromkeys(chosen)
        in_sight = dict(self.values).get(name)
        if in_sight is None:
            return tuple(wanted)
        return tuple(value for value in in_sight if value in wanted) if wanted else in_sight

    @property
    def words(self) -> str:
        """As in “project alpha or beta, and user u-1”; "" where all usage is in sight."""
        return ", and ".join(f"{name} {' or '.join(map(in_sentence, in_sight))}" for name, in_sight in self.values)

    @property
    def counted(self) -> list[str]:
        """As in “2 projects” and “1 user”: without recorded texts."""
        return [plural(len(in_sight), name) for name, in_sight in self.values]


EVERYTHING = Scope()
