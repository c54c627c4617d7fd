"""Signs: what tells files of a format from those of all others."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Signs:
    """Columns that a CSV file of a format has, and keys that objects of it have: any of several sets of them.

    A key is a path: “a.b” is b in the object a, “a[].b” in any object of the list a; with “=value” it has that value.
    """

    columns: tuple[tuple[str, ...], ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

    def in_columns(self, columns: Collection[str]) -> bool:
        return any(all(name in columns for name in names) for names in self.columns)

    def in_row(self, row: dict[str, Any]) -> bool:
        return any(all(_has(row, *path.partition("=")[::2]) for path in paths) for paths in self.keys)

    def wanted(self, *, csv: bool) -> str:
        """What a file needs to have, in words; "" if files of that kind are never of the format."""
        kinds = self.columns if csv else self.keys
        return " or ".join(", ".join(names) for names in kinds)


def _has(value: object, path: str, wanted: str) -> bool:
    if not isinstance(value, dict):
        return False
    name, _, rest = path.partition(".")
    found = value.get(name.removesuffix("[]"))
    each = found if name.endswith("[]") else [found]
    if not isinstance(each, list):
        return False
    if rest:
        return any(_has(one, rest, wanted) for one in each)
    return any(one == wanted if wanted else one is not None and one != "" for one in each)
