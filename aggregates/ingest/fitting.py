"""Making a call of fields of which one may not fit: that one is shortened or left out, the call is never lost."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from aggregates.domain.calls import CALL, CHARGE, MAX_TEXT_BYTES, REQUIRED, Call, InvalidCall, parse_call
from aggregates.domain.labels import Labels, fitting_labels
from aggregates.domain.texts import normal_form, size_of
from aggregates.domain.units import OTHER
from aggregates.domain.usual_calls import usual_call

REQUIRED_OF_CHARGE = ("timestamp", "cost")
TEXTS = (
    "request_id",
    "operation",
    "provider",
    "model",
    "user_id",
    "subject_id",
    "project",
    "service_tier",
    "price_model",
)
# What keeps the plain price away is never just left out.
INSTEAD: Mapping[str, object] = {"units": {OTHER: 1}, "service_tier": "unknown"}
DIGEST = 8  # bytes
MAX_PERSON = 4_096  # characters of a text that may be JSON about a person
# Of such JSON, what names a person and not a session of theirs, most telling first.
SESSION = ("session_id", "sessionId", "session")
ACCOUNT = ("account_uuid", "account_id", "accountId", "email", "user_id", "userId", "device_id", "deviceId")
# As Claude Code wrote it before it wrote JSON; the account is missing where an API key is used.
IN_ONE_WORD = re.compile(r"user_(?P<device>[0-9a-f]+)_account_(?P<account>[0-9a-f-]*)_session_[0-9a-f-]+")


class Misfit(NamedTuple):
    """A field that did not fit as it was sent, and what became of it."""

    field: str
    reason: str


def fitting_call(fields: Mapping[str, object], misfits: list[Misfit], request_id: str = "") -> Call:
    """The call; what does not fit in it is added to `misfits`. Raises InvalidCall if what every call needs is wrong.

    `request_id` stands in where the one among the fields cannot be kept.
    """
    call = _fitted({**with_persons(fields), "kind": CALL}, misfits)  # what clients report by themselves is no charge
    return call if call.request_id else call._replace(request_id=request_id)


def fitting_row(fields: Mapping[str, object], misfits: list[Misfit], kept: Collection[str] = ()) -> Call:
    """The call, or charge if the fields say so; what does not fit in it is added to `misfits`. Raises InvalidCall if
    what it needs is wrong, or one of the fields that are `kept` as they are."""
    return _fitted({"kind": CALL, **fields}, misfits, kept)


def with_persons(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields, with who is meant where a text names account, device and session at once."""
    return {**fields, **{name: person_of(fields[name]) for name in ("user_id", "subject_id") if fields.get(name)}}


def _fitted(fields: dict[str, object], misfits: list[Misfit], kept: Collection[str] = ()) -> Call:
    """The call of the fields, which are mended in place; raises InvalidCall."""
    needed = REQUIRED_OF_CHARGE if fields["kind"] == CHARGE else REQUIRED
    while True:
        try:
            return usual_call(fields) or parse_call(fields)
        except InvalidCall as invalid:
            if invalid.field in kept:
                raise
            fields[invalid.field] = _mended(invalid, fields.get(invalid.field), needed, misfits)


def _mended(invalid: InvalidCall, value: object, needed: Collection[str], misfits: list[Misfit]) -> object:
    """What stands for a value that is wrong; raises the InvalidCall if nothing does."""
    name = invalid.field
    if name in TEXTS and isinstance(value, str) and "\0" not in value and (short := shortened(value)) != value:
        misfits.append(Misfit(name, f"shortened: {invalid.reason}"))
        return short
    if name in needed or value is None or not name:
        raise invalid
    misfits.append(Misfit(name, f"left out: {invalid.reason}"))
    return INSTEAD.get(name)


def labels_of(pairs: Iterable[tuple[object, object]], misfits: list[Misfit]) -> Labels:
    """The labels of the pairs; what there is no room for is added to `misfits`."""
    found, problems = fitting_labels(pairs)
    misfits += [Misfit("labels", problem) for problem in problems]
    return found


def shortened(text: str) -> str:
    """A text that fits: of a longer one the beginning and a hash of all, so that the same stays the same."""
    if len(text) <= MAX_TEXT_BYTES and text.isascii():  # nearly all are
        return text
    encoded = text.strip().encode(errors="replace")
    if size_of(encoded.decode()) <= MAX_TEXT_BYTES:
        return text
    digest = blake2b(encoded, digest_size=DIGEST).hexdigest()
    room = MAX_TEXT_BYTES - len(digest) - 1
    kept = encoded[:room].decode(errors="ignore")
    if size_of(kept) > room:
        kept = normal_form(kept).encode()[:room].decode(errors="ignore")
    return f"{kept.rstrip()}~{digest}"


def person_of(value: object) -> object:
    """Who is meant: of a text that names account, device and session at once, the account, else the device."""
    if not isinstance(value, str) or len(value) > MAX_PERSON:
        return value
    if told := IN_ONE_WORD.fullmatch(value):
        return told["account"] or told["device"]
    if value[:1] != "{" or not any(name in value for name in SESSION):
        return value
    try:
        about = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if not isinstance(about, dict) or not any(name in about for name in SESSION):
        return value
    return next((about[name] for name in ACCOUNT if isinstance(about.get(name), str) and about[name]), value)
