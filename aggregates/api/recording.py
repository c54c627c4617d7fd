"""What every way in does with what it has read: record the calls, and tell what became of each row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from aggregates import ingest
from aggregates.api.endpoint import bounded
from aggregates.api.problems import unavailable
from aggregates.domain.calls import FIELDS, Call, InvalidCall, as_logged, with_key
from aggregates.domain.labels import MAX_LABELS
from aggregates.domain.providers import provider_name
from aggregates.ingest import Report, Reported
from aggregates.ingest.operations import operation_name
from aggregates.ingest.reports import Overlaps
from aggregates.models import ApiKey


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is no call: its number, the field that is wrong ("" if it is not one field), and why."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row whose request_id was recorded before, with other values in these fields. What was first stands."""

    index: int
    request_id: str
    fields: list[str]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row that is a call."""

    index: int
    call: Call


@dataclass(frozen=True, slots=True)
class TakenReport:
    """A row that reports a call, which others may report, too."""

    index: int
    report: Report


@dataclass(slots=True)
class Outcome:
    """What became of the rows: each was accepted, is a duplicate, or was rejected. A conflict is a duplicate, too."""

    accepted: int = 0
    duplicate: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    overlaps: Overlaps = field(default_factory=Overlaps)


def record_rows(key: ApiKey, rows: Iterable[Taken | Rejection]) -> Outcome:
    """Record the calls in one transaction: whoever gets the outcome may rely on it. Rows are read before it begins."""
    outcome = Outcome()
    taken: list[Taken] = []
    for row in rows:
        if isinstance(row, Rejection):
            outcome.rejected.append(row)
        else:
            taken.append(row)
    try:
        _record(key, taken, outcome)
    except InvalidCall:  # some are of days that the log no longer takes calls of: all others are recorded
        refused = _refused(key, [row.call for row in taken])
        outcome.rejected += [Rejection(taken[number].index, why.field, why.reason) for number, why in refused.items()]
        outcome.rejected.sort(key=lambda rejection: rejection.index)
        try:
            _record(key, [row for number, row in enumerate(taken) if number not in refused], outcome)
        except InvalidCall:  # a month was dropped meanwhile; sent again, its rows are rejected one by one
            raise unavailable() from None
    return outcome


def _record(key: ApiKey, taken: Sequence[Taken], outcome: Outcome) -> None:
    """Record the calls of these rows, and note in `outcome` what became of them; raises InvalidCall."""
    if not taken:
        return
    ids = [row.call.request_id for row in taken if row.call.request_id]
    calls: Iterable[Call] = [row.call for row in taken]
    standing: dict[str, Call] = {}
    if len(set(ids)) < len(ids):
        standing = _standing(taken)
        calls = standing.values()
    with bounded():
        recorded = ingest.record_within(key.organization, [stamped(call, key) for call in calls])
    outcome.accepted = recorded.new
    outcome.duplicate = len(taken) - recorded.new
    if outcome.duplicate:
        names, standing = list(map(_key, taken)), standing or _standing(taken)
        standing.update(recorded.existing)
        outcome.conflicts = list(_conflicts(taken, map(standing.__getitem__, names)))


def _standing(taken: Iterable[Taken]) -> dict[str, Call]:
    """By key, of rows that the log takes for one call the first."""
    standing: dict[str, Call] = {}
    for row in taken:
        standing.setdefault(_key(row), row.call)
    return standing


def record_reported(key: ApiKey, rows: Iterable[TakenReport | Rejection]) -> Outcome:
    """Record the calls that the rows report, each once, whoever else reports them."""
    outcome = Outcome()
    taken: list[TakenReport] = []
    for row in rows:
        if isinstance(row, Rejection):
            outcome.rejected.append(row)
        else:
            taken.append(row)
    recorded, refused = record_all(key, [row.report for row in taken])
    outcome.rejected += [Rejection(taken[number].index, why.field, why.reason) for number, why in refused.items()]
    outcome.rejected.sort(key=lambda rejection: rejection.index)
    outcome.accepted, outcome.duplicate = recorded.new, len(taken) - len(refused) - recorded.new
    outcome.overlaps = recorded.overlaps
    return outcome


def stamped(call: Call, key: ApiKey) -> Call:
    """The call with the key that it came with, and that key's labels beside its own, as far as there is room."""
    if not key.labels:
        return with_key(call, key.prefix)
    names = dict(call.labels)
    room = MAX_LABELS - len(names)
    of_key = {name: text for name, text in key.labels.items() if name not in names}
    labels = {**names, **dict(sorted(of_key.items())[:room])}
    return call._replace(key=key.prefix, labels=tuple(sorted(labels.items())) if of_key else call.labels)


def record_all(key: ApiKey, reports: Sequence[Report]) -> tuple[Reported, dict[int, InvalidCall]]:
    """Remember the reports, and record their calls, each in a transaction whose statements end in time.

    Returns by number, too, which of them are of days that the log no longer takes calls of, and why.
    """
    reports = [report.with_call(stamped(report.call, key)) if report.call else report for report in reports]
    try:
        return _record_all(key, reports), {}
    except InvalidCall:
        refused = _refused(key, [report.call for report in reports])
        try:
            return _record_all(key, [one for number, one in enumerate(reports) if number not in refused]), refused
        except InvalidCall:  # a month was dropped meanwhile; sent again, its calls are rejected one by one
            raise unavailable() from None


def _record_all(key: ApiKey, reports: Sequence[Report]) -> Reported:
    kept = ingest.remember_reports(key.organization, reports)
    return ingest.record_reports(key.organization, reports, kept, within=bounded)


def _refused(key: ApiKey, calls: Iterable[Call | None]) -> dict[int, InvalidCall]:
    """By number, the calls that are of days that the log no longer takes calls of, and why."""
    check, refused = ingest.retention_check(key.organization), {}
    for number, call in enumerate(calls):
        try:
            if call:
                check(call)
        except InvalidCall as invalid:
            refused[number] = invalid
    return refused


def _key(row: Taken) -> str:
    """The same for rows that the log takes for one call; a row without request_id is always one of its own."""
    call = row.call
    return ingest.log_key(call.timestamp, call.request_id) if call.request_id else f"row {row.index}"


def _conflicts(taken: Iterable[Taken], standing: Iterable[Call]) -> Iterator[Conflict]:
    """Compare the rows with the calls of the log that they are taken for."""
    for row, stands in zip(taken, standing, strict=True):
        # `is` first: it spares nearly all the comparison.
        if row.call is not stands and (fields := differing(row.call, stands)):
            yield Conflict(row.index, row.call.request_id, fields)


def differing(call: Call, other: Call) -> list[str]:
    """The fields in which they differ; a text is the same in all its forms, and providers and operations are in
    all their spellings.

    The other may have more labels: those of the key that it came with.
    """
    one, another = map(_by_one_name, (call, other))
    if set(one.labels) <= set(another.labels):
        another = another._replace(labels=one.labels)
    return [name for name in FIELDS if getattr(one, name) != getattr(another, name)]


def _by_one_name(call: Call) -> Call:
    call = as_logged(call)
    return call._replace(provider=provider_name(call.provider), operation=operation_name(call.operation))
