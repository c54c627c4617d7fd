"""Whether the memory of what reads and writes many calls grows with their number."""

from pathlib import Path

from aggregates.models import Organization
from tests.bench.busy_day import DAY, write_file
from tests.bench.databases import peak_memory
from tests.bench.table import Goal, Line

FLAT = 1.15  # times the memory at ten times the calls


def lines(folder: Path, calls: int) -> list[Line]:
    """Measure the peaks of the importer, the roller and the generator at so many calls, beside a tenth of them."""
    peaks = [importer_and_roller(folder, number) for number in (calls // 10, calls)]
    small, large = (dict(peak) for peak in peaks)
    return [line(f"{what}, {calls:,} calls", large[what], small[what]) for what in large]


def line(what: str, large: float, small: float) -> Line:
    goal = Goal(f"≤ {FLAT}", large / small <= FLAT)
    return Line(what, f"{large:.0f} MB", f"{small:.0f} MB", f"{large / small:.2f} times", goal)


def importer_and_roller(folder: Path, calls: int) -> list[tuple[str, float]]:
    file = folder / f"{calls}.csv"
    write_file(file, calls)
    slug = f"memory-{calls}"
    Organization.objects.create(slug=slug, name=slug)
    return [
        ("import_usage", peak_memory("import_usage", str(file), "--organization", slug)),
        ("aggregate_day", peak_memory("aggregate_day", str(DAY), "--organization", slug)),
        ("generate_usage", peak_memory("generate_usage", "--calls", str(calls), "--days", "1", "--until", str(DAY))),
    ]
