"""What the page “What arrived” says: whether all is well, and what became of what each key and file sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aggregates.db.standby import prefer_standby
from aggregates.domain.formats import plural
from aggregates.models import ArrivalOutcome, Organization
from aggregates.query.arrivals import PERIODS, PROBLEMS, REMARKS, Arrivals, Finding, SourceArrivals, read_arrivals
from aggregates.web.pages.dashboard import PATIENCE

WORDS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
PERIOD = next(iter(PERIODS))
BAR_WIDTH, BAR_GAP, BAR_HEIGHT, LEAST_HEIGHT = 4, 1, 24, 2  # of the picture of hours


class Explained(NamedTuple):
    """What an outcome is called, one of it, and what it means for who reads it."""

    title: str
    one: str
    meaning: str


EXPLAINED = {
    ArrivalOutcome.REFUSED: Explained("Refused whole", "", "Nothing of what was refused is in the log."),
    ArrivalOutcome.REJECTED: Explained(
        "Rejected", "call", "These are not in the log. All others of their batches are."
    ),
    ArrivalOutcome.NOT_UNDERSTOOD: Explained(
        "Not understood",
        "span",
        "These spans tell of usage in words that are not known here, and are not in the log. Each is named by its "
        "instrumentation and its own name.",
    ),
    ArrivalOutcome.CONFLICT: Explained(
        "Sent again with other values",
        "call",
        "Their request_id was in the log with other values in these fields. What came first stands.",
    ),
    ArrivalOutcome.DOUBT: Explained(
        "May be counted twice",
        "pair of calls",
        "Two instrumentations told of what may be one call, in different numbers. Both are counted; switching one of "
        "them off settles it.",
    ),
    ArrivalOutcome.ADJUSTED: Explained(
        "Fields that did not fit", "field", "The calls are in the log, with this field shortened or left out."
    ),
    ArrivalOutcome.SAME_CALL: Explained(
        "Told by several", "report", "These instrumentations told of the same calls. Each call is counted once."
    ),
}


class Bar(NamedTuple):
    """An hour of the picture, in its units."""

    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Group:
    """All reasons of one outcome."""

    explained: Explained
    noun: str
    is_problem: bool
    total: int
    findings: tuple[Finding, ...]

    @property
    def total_words(self) -> str:
        """Say how many of what there are; what follows “of” stays as it is."""
        noun, of, rest = self.noun.partition(" of ")
        return plural(self.total, noun) + of + rest


@dataclass(frozen=True, slots=True)
class Line:
    """One key or file."""

    source: SourceArrivals
    accepted: int
    again: int
    rejected: int
    refused: int
    bars: tuple[Bar, ...]
    groups: tuple[Group, ...]

    @property
    def hours_words(self) -> str:
        """Say the picture in words."""
        hours = self.source.hours
        return f"{plural(sum(hours), 'call')} in the last 24 hours, at most {plural(max(hours), 'call')} in an hour"


@dataclass(frozen=True, slots=True)
class ArrivalsPage:
    arrivals: Arrivals
    lines: tuple[Line, ...]
    headline: str
    sentence: str

    @property
    def told(self) -> tuple[Line, ...]:
        """The keys and files of which there is more to say, those with problems first."""
        return tuple(sorted((line for line in self.lines if line.groups), key=lambda line: not line.source.problems))


@prefer_standby
def load(organization: Organization, period: str) -> ArrivalsPage:
    arrived = read_arrivals(organization, period, seconds=PATIENCE)
    return ArrivalsPage(arrived, tuple(map(_line, arrived.sources)), _headline(arrived), _sentence(arrived))


def _line(source: SourceArrivals) -> Line:
    return Line(
        source=source,
        accepted=source.count(ArrivalOutcome.ACCEPTED),
        again=source.count(ArrivalOutcome.DUPLICATE),
        rejected=source.count(ArrivalOutcome.REJECTED),
        refused=source.count(ArrivalOutcome.REFUSED),
        bars=tuple(_bars(source.hours)),
        groups=tuple(_groups(source)),
    )


def _bars(hours: list[int]) -> Iterable[Bar]:
    most = max(hours)
    for number, calls in enumerate(hours):
        if calls:
            height = max(LEAST_HEIGHT, calls * BAR_HEIGHT // most)
            yield Bar(number * (BAR_WIDTH + BAR_GAP), BAR_HEIGHT - height, height)


def _groups(source: SourceArrivals) -> Iterable[Group]:
    for outcome in (*PROBLEMS, *REMARKS):
        if findings := source.of([outcome]):
            explained = EXPLAINED[outcome]
            noun = explained.one or ("request" if source.key else "file")
            yield Group(explained, noun, outcome in PROBLEMS, source.count(outcome), tuple(findings))


def _headline(arrived: Arrivals) -> str:
    if not arrived.is_well:
        return "Something needs a look"
    return "All is well" if arrived.count(*ArrivalOutcome) else f"Nothing arrived in the last {WORDS[arrived.period]}"


def _sentence(arrived: Arrivals) -> str:
    """Say what arrived, and in what way not all of it ended well."""
    period = f"In the last {WORDS[arrived.period]}"
    if not arrived.count(*ArrivalOutcome):
        return "What is sent appears here within the same second." if arrived.sources else "There is no key yet."
    calls, senders = arrived.count(ArrivalOutcome.ACCEPTED), _senders(arrived)
    arrival = f"{period} {plural(calls, 'call')} arrived from {senders}"
    if arrived.is_well:
        return f"{arrival}. Nothing was rejected, left unread or in doubt."
    return f"{arrival}. Beside them: {', '.join(_problems(arrived))}."


def _senders(arrived: Arrivals) -> str:
    sent = [source for source in arrived.sources if source.counts]
    keys = sum(source.key is not None for source in sent)
    words = [plural(keys, "key")] * bool(keys) + [plural(len(sent) - keys, "file")] * (len(sent) > keys)
    return " and ".join(words)


def _problems(arrived: Arrivals) -> Iterable[str]:
    if refused := arrived.count(ArrivalOutcome.REFUSED):
        of_keys = sum(source.count(ArrivalOutcome.REFUSED) for source in arrived.sources if source.key)
        words = [plural(of_keys, "request")] * bool(of_keys) + [plural(refused - of_keys, "file")] * (refused > of_keys)
        yield f"{' and '.join(words)} refused whole"
    for outcome, noun, what in (
        (ArrivalOutcome.REJECTED, "call", "rejected"),
        (ArrivalOutcome.NOT_UNDERSTOOD, "span", "not understood"),
        (ArrivalOutcome.CONFLICT, "call", "sent again with other values"),
        (ArrivalOutcome.DOUBT, "pair", "that may be one call counted twice"),
    ):
        if number := arrived.count(outcome):
            yield f"{plural(number, noun)} {what}"
