"""Pages follow the reader's text size: type and distances are in rem, and only lines and hairlines in px."""

import re
from pathlib import Path

import pytest

STYLES = Path(__file__).parents[2] / "aggregates" / "static" / "aggregates" / "css"
SIZE = re.compile(r"(?<![\w#.])-?([0-9.]+)px")
HAIRLINE = 3
ROUND = 999  # of corners that are half circles
PAPER = "print.css"  # has a size of its own
LITERAL = re.compile(r'url\("[^"]*"\)|--shadow[\w-]*: [^;]*')


@pytest.mark.parametrize(
    "path", [path for path in sorted(STYLES.glob("*.css")) if path.name != PAPER], ids=lambda p: p.name
)
def test_only_hairlines_are_in_pixels(path: Path) -> None:
    sizes = {float(size) for size in SIZE.findall(LITERAL.sub("", path.read_text()))}
    assert {size for size in sizes if size > HAIRLINE and size != ROUND} == set()
