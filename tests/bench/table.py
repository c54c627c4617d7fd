"""The lines that the bench prints: what it measured, beside what, and whether that is good enough."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """`text` as the table has it; `met` says whether it is reached."""

    text: str
    met: bool


@dataclass(frozen=True, slots=True)
class Line:
    what: str
    ours: str
    beside: str = ""
    ratio: str = ""
    goal: Goal | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = "" if self.goal is None else "met" if self.goal.met else "NOT MET"
        return self.what, self.ours, self.beside, self.ratio, self.goal.text if self.goal else "", verdict


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a heading; `beside` heads the column of what ours is compared with."""

    title: str
    beside: str
    lines: tuple[Line, ...]


def time(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def at_most(what: str, ours: float, beside: float, times: float | None = None) -> Line:
    """Make the goal that ours takes at most so many times as long, if that is a goal here."""
    ratio = ours / beside
    goal = Goal(f"≤ {times}", ratio <= times) if times else None
    return Line(what, time(ours), time(beside), f"{ratio:.2f} times", goal)


def faster(what: str, ours: float, beside: float, times: float | None = None) -> Line:
    """Make the goal that ours is so many times faster, if that is a goal here."""
    ratio = beside / ours
    goal = Goal(f"≥ {times:.0f}", ratio >= times) if times else None
    return Line(what, time(ours), time(beside), f"{ratio:,.{0 if ratio >= 10 else 1}f} times faster", goal)


def as_markdown(sections: list[Section]) -> str:
    """Print tables in Markdown, which are readable as they are."""
    tables = [
        [(section.title, "ours", section.beside, "ratio", "goal", ""), *(line.cells for line in section.lines)]
        for section in sections
    ]
    widths = [max(map(len, column)) for column in zip(*(row for table in tables for row in table), strict=True)]
    return "\n\n".join("\n".join(lines_of(table, widths)) for table in tables)


def lines_of(table: list[tuple[str, ...]], widths: list[int]) -> Iterator[str]:
    header, *rows = table
    yield line_of(header, widths)
    yield f"| {'-' * widths[0]} | {' | '.join('-' * (width - 1) + ':' for width in widths[1:])} |"
    yield from (line_of(row, widths) for row in rows)


def line_of(cells: tuple[str, ...], widths: list[int]) -> str:
    numbers = (text.rjust(width) for text, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {cells[0].ljust(widths[0])} | {' | '.join(numbers)} |"
