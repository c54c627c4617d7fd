"""Style sheets and scripts that pages ask for together, each in one file: thirty requests take longer than three."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
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
    """Find bundles, made anew of what their parts are now."""

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        if path not in BUNDLES:
            return []
        _make(path)
        made = str(_folder() / path)
        return [made] if find_all else made

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = FileSystemStorage(_folder())
        for path in BUNDLES:
            _make(path)
            yield path, storage


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "bundles"


def _make(path: str) -> None:
    """Write a bundle where it is not yet what its parts are; another process may do so at the same moment."""
    content = "".join(Path(str(finders.find(part))).read_text() for part in BUNDLES[path])
    made = _folder() / path
    if made.exists() and made.read_text() == content:
        return
    made.parent.mkdir(parents=True, exist_ok=True)
    partial = made.with_suffix(f".{os.getpid()}")
    partial.write_text(content)
    partial.replace(made)
