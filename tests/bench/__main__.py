"""Do the work in order, tell what it does, and print the tables."""

import argparse
import sys
import tempfile
from pathlib import Path

from aggregates.web.pages import calls
from tests.bench import (
    browsing,
    busy_day,
    columnar,
    every_page,
    listing,
    long_tails,
    memory,
    pages,
    sending,
    sending_spans,
    unit_costs,
)
from tests.bench.databases import make
from tests.bench.filling import Filled, fill
from tests.bench.machine import described
from tests.bench.table import Line, Section, as_markdown, time
from tests.conftest import find_browser

PAGE_GOALS = {30: 50.0, 365: 300.0}  # times faster than plain SQL, at the largest size
GROWTH = 1.3  # times as long at the largest size as at the smallest
TODAY = 14_000  # calls of the biggest organization so far today, in all sizes
TAIL = 100_000  # groups
GOALS_FROM = 10_000_000  # calls: smaller logs are for trying


def whole(text: str) -> int:
    return int(text.replace(",", "").replace("_", ""))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=sys.modules["tests.bench"].__doc__)
    parser.add_argument(
        "--calls", type=whole, nargs="+", default=[1_000_000, 10_000_000], help="of a year (default: 1 M and 10 M)"
    )
    parser.add_argument("--day", type=whole, default=1_000_000, help="calls of the busy day (default: 1 M)")
    parser.add_argument("--pages", type=whole, default=every_page.DRAWN, help="dashboards by lot (default: 60)")
    parser.add_argument("--seed", type=whole, help="of that lot (default: another one each time)")
    parser.add_argument(
        "--only-pages", action="store_true", help="leave out what is not about pages at these numbers of calls"
    )
    parser.add_argument("--send", type=whole, default=200_000, help="calls sent to the web server (default: 200,000)")
    return parser.parse_args()


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def filled(calls: int, today: int) -> Filled:
    tell(f"Making up {calls:,} calls and rolling them up ...")
    return fill(calls, today)


def about(made: Filled) -> list[Line]:
    rate = f"{made.calls / made.recording:,.0f} calls/s"
    rolled = f"{made.calls / made.rolling:,.0f} calls/s"
    return [
        Line(f"record {made.calls:,} calls", time(made.recording), "", rate),
        Line(f"roll them up, into {made.aggregate_rows:,} rows", time(made.rolling), "", rolled),
    ]


def year(made: Filled) -> Section:
    tell(f"Asking about {made.calls:,} calls ...")
    title = f"{made.calls:,} calls, {made.its_calls:,} of them of the organization asked about; {made.size}"
    goals = PAGE_GOALS if made.calls >= GOALS_FROM else {}
    lines = (*about(made), *pages.lines(made, goals))
    return Section(title, "plain SQL", lines)


def work(asked: argparse.Namespace) -> list[Section]:
    """Measure what comes in, and what is done with it."""
    make("bench_day")
    with tempfile.TemporaryDirectory() as folder:
        tell(f"Importing and rolling up a day of {asked.day:,} calls ...")
        sections = [Section("A busy day", "plain SQL", tuple(busy_day.lines(Path(folder), asked.day)))]
        tell("Measuring memory ...")
        sections.append(Section("Memory at its peak", "a tenth", tuple(memory.lines(Path(folder), asked.day))))
    tell(f"Sending {asked.send:,} calls to the web server ...")
    sections.append(Section("Sending", "plain SQL", tuple(sending.lines(asked.send))))
    sections.append(Section("Sending spans", "plain usage", tuple(sending_spans.lines(asked.send))))
    return sections


def all_pages(asked: argparse.Namespace, sizes: list[Filled]) -> list[Section]:
    """Measure every page at each size, and how that grows; at the largest one, columnar databases beside it."""
    seed = every_page.a_seed() if asked.seed is None else asked.seed
    measured, sections = [], []
    for made in sizes:
        tell(f"Opening every page at {made.calls:,} calls ...")
        pages_of_size = every_page.measure(made, seed, asked.pages)
        title = f"Every page on the server, at {made.calls:,} calls"
        sections.append(Section(title, "of it the database", tuple(every_page.lines(pages_of_size, seed))))
        measured.append(pages_of_size)
    if len(sizes) > 1:
        lines = tuple(every_page.growth_lines(measured[0], measured[-1], GROWTH))
        sections.append(Section("Growth of pages", f"at {sizes[0].calls:,}", lines))
    title = f"What one costs, at {sizes[-1].calls:,} calls: processor time and journal"
    sections.append(Section(title, "in the database", tuple(unit_costs.lines(sizes[-1], asked.day // 10))))
    if columnar.are_there():
        tell("Copying the calls into DuckDB and ClickHouse ...")
        title = f"Columnar databases, at {sizes[-1].calls:,} calls"
        sections.append(Section(title, "DuckDB / chDB", tuple(columnar.lines(sizes[-1]))))
    else:
        tell("Columnar databases are not installed (requirements-bench.txt), and were not measured.")
    return sections


def of_year(sizes: list[Filled]) -> list[Section]:
    """Measure what pages read, at each size, and how that grows."""
    sections = [year(made) for made in sizes]
    totals = tuple(pages.year_total_line(made) for made in sizes)
    sections.append(Section("Time in the database", "of it the log", totals))
    if len(sizes) > 1:
        small, large = sizes[0], sizes[-1]
        line = pages.growth_line(small, large, GROWTH)
        sections.append(Section("Growth", f"at {small.calls:,}", (line,)))
    return sections


def tails_and_browser(large: Filled) -> list[Section]:
    title = f"{calls.PAGE} calls of 365 days, at {large.calls:,} calls, and their totals"
    sections = [Section(title, "plain SQL", tuple(listing.lines(large)))]
    tell(f"Filling a log with a tail of {TAIL:,} groups ...")
    title = f"Long tails; suggestions at {large.calls:,} calls"
    sections.append(Section(title, "plain SQL", tuple(long_tails.lines(large, min(TAIL, large.calls // 10)))))
    if find_browser():
        tell("Looking at the dashboard in Chromium ...")
        title = f"In a browser, at {large.calls:,} calls"
        sections.append(Section(title, "an empty view", tuple(browsing.lines(large))))
    else:
        tell("No Chromium was found: what pages cost in a browser was not measured.")
    return sections


def main() -> None:
    asked = arguments()
    machine = described()
    sections = [] if asked.only_pages else work(asked)
    today = min(TODAY, min(asked.calls) // 10)
    sizes = [filled(number, today) for number in sorted(asked.calls)]
    sections += of_year(sizes) + all_pages(asked, sizes)
    sections += [] if asked.only_pages else tails_and_browser(sizes[-1])
    print(f"\n{machine}\n\n{as_markdown(sections)}")


if __name__ == "__main__":
    main()
