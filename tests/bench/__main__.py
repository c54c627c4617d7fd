"""Do the work in order, tell what it does, and print the tables."""

import argparse
import sys
import tempfile
from pathlib import Path

from aggregates.web.pages import calls
from tests.bench import browsing, busy_day, listing, long_tails, memory, pages, sending, sending_spans
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


def main() -> None:
    asked = arguments()
    machine = described()
    make("bench_day")
    with tempfile.TemporaryDirectory() as folder:
        tell(f"Importing and rolling up a day of {asked.day:,} calls ...")
        sections = [Section("A busy day", "plain SQL", tuple(busy_day.lines(Path(folder), asked.day)))]
        tell("Measuring memory ...")
        sections.append(Section("Memory at its peak", "a tenth", tuple(memory.lines(Path(folder), asked.day))))
    tell(f"Sending {asked.send:,} calls to the web server ...")
    sections.append(Section("Sending", "plain SQL", tuple(sending.lines(asked.send))))
    sections.append(Section("Sending spans", "plain usage", tuple(sending_spans.lines(asked.send))))
    today = min(TODAY, min(asked.calls) // 10)
    sizes = [filled(calls, today) for calls in sorted(asked.calls)]
    sections += [year(made) for made in sizes]
    totals = tuple(pages.year_total_line(made) for made in sizes)
    sections.append(Section("Time in the database", "of it the log", totals))
    if len(sizes) > 1:
        small, large = sizes[0], sizes[-1]
        line = pages.growth_line(small, large, GROWTH)
        sections.append(Section("Growth", f"at {small.calls:,}", (line,)))
    title = f"{calls.PAGE} calls of 365 days, at {sizes[-1].calls:,} calls, and their totals"
    sections.append(Section(title, "plain SQL", tuple(listing.lines(sizes[-1]))))
    tell(f"Filling a log with a tail of {TAIL:,} groups ...")
    title = f"Long tails; suggestions at {sizes[-1].calls:,} calls"
    sections.append(Section(title, "plain SQL", tuple(long_tails.lines(sizes[-1], min(TAIL, sizes[-1].calls // 10)))))
    if find_browser():
        tell("Looking at the dashboard in Chromium ...")
        title = f"In a browser, at {sizes[-1].calls:,} calls"
        sections.append(Section(title, "an empty view", tuple(browsing.lines(sizes[-1]))))
    else:
        tell("No Chromium was found: what pages cost in a browser was not measured.")
    print(f"\n{machine}\n\n{as_markdown(sections)}")


if __name__ == "__main__":
    main()
