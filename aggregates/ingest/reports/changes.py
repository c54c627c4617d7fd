"""What is to become of calls in the log, now that it is decided which reports are of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b

from aggregates.domain.calls import Call, InvalidCall
from aggregates.ingest.day_locks import retention_check
from aggregates.ingest.existing import log_key
from aggregates.ingest.identity import Identity
from aggregates.ingest.recording import Place
from aggregates.ingest.reports.keeping import Known
from aggregates.ingest.reports.logged import GENERIC, Entries, Entry
from aggregates.models import Organization


@dataclass(slots=True)
class Change:
    """What is to become of a call in the log: it is new, takes the place of `old` ones, or all stays as it is."""

    identity: Identity
    call: Call
    old: list[Place]
    digest: str
    is_written: bool = True

    @property
    def is_new(self) -> bool:
        return self.is_written and not self.old

    @property
    def key(self) -> str:
        return log_key(self.call.timestamp, self.call.request_id)


def changes_of(touched: Sequence[Identity], known: Known, may_change: Callable[[datetime], bool]) -> list[Change]:
    """What is to become of these calls; a call in the log is one of them, also where two were thought to be one."""
    if not known.entries:  # nearly always: all are new
        return [_change(identity, (), known.rows, {}, may_change) for identity in touched]
    claims: dict[Place, list[tuple[bool, int, Identity]]] = {}
    for identity in touched:
        for place in places_of(identity, known.entries):
            its = sum(known.entries[span].place == place for span in identity.spans if span in known.entries)
            is_named = place.request_id in (identity.response_id, *identity.spans)
            claims.setdefault(place, []).append((is_named, its, identity))
    owners = {
        place: max(claimed, key=lambda claim: (*claim[:2], claim[2].spans))[2] for place, claimed in claims.items()
    }
    told = Counter(entry.place for entry in known.entries.values())
    return [
        _change(
            identity,
            [
                entry
                for entry in dict.fromkeys(known.entries[span] for span in identity.spans if span in known.entries)
                if owners[entry.place] is identity
            ],
            known.rows,
            told,
            may_change,
        )
        for identity in touched
    ]


def _change(
    identity: Identity,
    entries: Sequence[Entry],
    rows: Mapping[Place, Call],
    told: Mapping[Place, int],
    may_change: Callable[[datetime], bool],
) -> Change:
    digest = digest_of(identity)
    old = [entry.place for entry in entries]
    if not entries:
        name = identity.response_id or identity.spans[0]
        return Change(identity, identity.call._replace(request_id=name), [], digest)
    call = _with_what_was_known(identity.call, [rows[place] for place in old if place in rows])
    change = Change(identity, call._replace(request_id=old[0].request_id), old, digest)
    stands = [entry for entry in entries if not entry.digest and not (entry.is_provisional and identity.is_of_vendor)]
    stands += [entry for entry in entries if told[entry.place] < entry.reports]  # some of its reports are forgotten
    if stands:
        change.old, change.digest, change.is_written = [stands[0].place], "", False
    elif len(entries) == 1 and entries[0].digest == digest:
        change.is_written = False
    else:
        change.is_written = all(map(may_change, [call.timestamp, *(place.timestamp for place in old)]))
    return change


def _with_what_was_known(call: Call, rows: Iterable[Call]) -> Call:
    """The call, with whose it is where only reports told that are forgotten."""
    for row in rows:
        call = call._replace(
            user_id=call.user_id or row.user_id,
            project=call.project or row.project,
            operation=row.operation if call.operation in GENERIC and row.operation not in GENERIC else call.operation,
        )
    return call


def may_change_in(organization: Organization) -> Callable[[datetime], bool]:
    """Whether the log still takes changes of calls at that time."""

    @cache
    def check() -> Callable[[Call], None]:
        return retention_check(organization)  # when it is asked for: most calls are new, and none changes

    def may(timestamp: datetime) -> bool:
        try:
            check()(Call(timestamp, "any"))
        except InvalidCall:
            return False
        return True

    return may


def places_of(identity: Identity, entries: Entries) -> set[Place]:
    return {entries[span].place for span in identity.spans if span in entries}


def digest_of(identity: Identity) -> str:
    call = identity.call
    content = repr(call._replace(request_id="") if call.request_id else call).encode()
    return f"{blake2b(content, digest_size=12).hexdigest()} {len(identity.spans)}"
