"""Style sheets and scripts that pages ask for together, each in one file: thirty requests take longer than three."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_ident
from typing import Any

from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage

SCRIPTS = "keyboard", "finder", "typed"
USAGE_SCRIPTS = (
    *("ticks", "colours", "figures", "charts", "bars", "bar_menu", "explore", "views", "export", "numbers"),
    *("rows", "subgroups", "page"),
)
STYLES = "tokens", "base", "header", "finder"
USAGE_STYLES = "plotly", "controls", "tiles", "cards", "charts", "bars", "tables", "notes", "views", "day-notes"

# What a browser asks for, and the static files that it is made of.
BUNDLES = {
    "aggregates/site.css": [f"aggregates/css/{name}.css" for name in STYLES],
    "aggregates/site.js": [f"aggregates/js/{name}.js" for name in SCRIPTS],
    "aggregates/usage.css": [f"aggregates/css/{name}.css" for name in USAGE_STYLES],
    "aggregates/plotly-basic.min.js": ["aggregates/js/eager.js", "plotly/plotly-basic.min.js"],
    "aggregates/usage.js": [f"aggregates/js/{name}.js" for name in USAGE_SCRIPTS],
}


class Bundles(finders.BaseFinder):
    """Find bundles, made of what their parts are now, in a folder that goes with the process."""

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        if path not in BUNDLES:
            return []
        made = str(_make(path))
        return [made] if find_all else made

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = FileSystemStorage(_folder().name)
        for path in BUNDLES:
            _make(path)
            yield path, storage


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="usagesite-bundles-")


def _make(path: str) -> Path:
    made = Path(_folder().name, path)
    made.parent.mkdir(parents=True, exist_ok=True)
    partial = made.with_suffix(f".{get_ident()}")  # a server has several threads
    partial.write_bytes(b"\n".join(map(_read, BUNDLES[path])))
    return partial.replace(made)


def _read(part: str) -> bytes:
    found = finders.find(part)
    if not found:
        raise FileNotFoundError(f"{part} is not there: `make install` brings it.")
    return Path(found).read_bytes()
