"""Past calls priced anew as a task of the task cluster, and put back: beside the nightly task, never in its place."""

import logging
import time
from datetime import date, timedelta

from django.db import Error, IntegrityError, transaction
from django.db.models import F, QuerySet
from psycopg import sql

from aggregates.db import clock
from aggregates.db.beside import Beside, beside
from aggregates.db.locks import Lock
from aggregates.domain.calls import InvalidCall
from aggregates.domain.formats import plural
from aggregates.ingest.correcting import Criteria
from aggregates.ingest.repricing import reprice
from aggregates.ingest.undoing import undo
from aggregates.models import FormerCost, Organization, Repricing, RepricingState, User
from aggregates.models.repricing import UNDER_WAY
from aggregates.ops import spare_workers

KEPT = timedelta(days=90)  # in which it can be undone
SECONDS = 0.5  # between two times that the page is told how far it is
MOST_ATTEMPTS = 3
BATCH = 5_000  # former costs that a statement deletes
TELL = sql.SQL("UPDATE {} SET rows = %(rows)s WHERE id = %(id)s RETURNING id").format(
    sql.Identifier(Repricing._meta.db_table)
)
BROKEN = "Something is wrong with the site; its log tells what. Nothing was changed."
TOO_LONG = "It took longer than the time that it has. Nothing was changed: choose fewer days."

logger = logging.getLogger(__name__)


class OneAtATime(Exception):
    """Other past calls of the organization are being priced; the message says so to people."""

    def __init__(self) -> None:
        super().__init__("Other past calls are being priced: try again when that is done.")


class LockLost(Exception):
    """The connection that held its lock was lost, and somebody else took it up."""


def request(
    organization: Organization, user: User, pattern: str, first: date | None, last: date | None, expected: int = 0
) -> Repricing:
    """Have past calls of models that match the pattern, on these local days, priced anew. Raises OneAtATime."""
    days = {"first": first, "last": last}
    try:
        with transaction.atomic():
            asked = Repricing.objects.create(
                organization=organization, created_by=user, pattern=pattern, **days, expected=expected
            )
            spare_workers.REPRICE.enqueue()
    except IntegrityError:  # the database lets no two be under way
        raise OneAtATime from None
    return asked


def request_undo(repricing: Repricing, user: User) -> bool:
    """Have what the calls cost before put back; whether it is there still. Raises OneAtATime."""
    if not repricing.may_be_undone:
        return False
    done = Repricing.objects.filter(pk=repricing.pk, state=RepricingState.DONE, is_undo=False)
    anew = {"queued_at": clock.now(), "finished_at": None, "attempts": 0, "problem": ""}
    try:
        with transaction.atomic():
            is_asked = bool(done.update(state=RepricingState.QUEUED, is_undo=True, undone_by=user, **anew))
            if is_asked:
                spare_workers.REPRICE.enqueue()
    except IntegrityError:
        raise OneAtATime from None
    return is_asked


def reprice_calls() -> str:
    """Do what waits for longest, if a worker may be spared for it; say what came of it, in words.

    The task names nothing: it finds its work in the database, so it may be given out twice, or again after a crash.
    """
    with beside() as own:
        _revive(own)
        slot = spare_workers.take(own)
        if slot is None:
            return "waits: other workers are busy"
        claimed = _claim(own)
        try:
            if claimed is None:
                return "nothing to price"
            return _run(claimed, own)
        finally:
            spare_workers.give_back(own, slot, None if claimed else spare_workers.REPRICE)


def tidy() -> None:
    """Take up what a worker that died left."""
    if Repricing.objects.filter(state__in=UNDER_WAY).exists():
        with beside() as own:
            _revive(own)
        spare_workers.REPRICE.enqueue()


def forget() -> None:
    """Delete former costs that are too old to be put back."""
    old = Repricing.objects.filter(state__in=(RepricingState.DONE, RepricingState.FAILED))
    for repricing in old.filter(finished_at__lt=clock.now() - KEPT):
        kept = FormerCost.objects.filter(organization=repricing.organization_id, repricing=repricing)
        while numbers := list(kept.values_list("call", flat=True)[:BATCH]):
            kept.filter(call__in=numbers).delete()


def _claim(own: Beside) -> Repricing | None:
    """Take the one that waits for longest; its lock is held from here on."""
    for number in Repricing.objects.filter(state=RepricingState.QUEUED).order_by("queued_at", "pk").values_list("pk"):
        if not own.try_lock(Lock.REPRICING, *number):
            continue
        waiting = Repricing.objects.filter(pk=number[0], state=RepricingState.QUEUED)
        if waiting.update(state=RepricingState.RUNNING, attempts=F("attempts") + 1, rows=0):
            found = Repricing.objects.select_related("organization", "created_by", "undone_by")
            return found.get(pk=number[0])
        own.unlock(Lock.REPRICING, *number)
    return None


def _revive(own: Beside) -> None:
    """Let those whose worker died wait for another one, or end: nothing of what it did was committed."""
    for repricing in Repricing.objects.filter(state=RepricingState.RUNNING):
        if not own.try_lock(Lock.REPRICING, repricing.pk):
            continue
        if repricing.attempts >= MOST_ATTEMPTS:
            _fail(repricing, f"Whoever did it was ended {MOST_ATTEMPTS} times. Nothing was changed.")
        else:
            _running(repricing).update(state=RepricingState.QUEUED)
        own.unlock(Lock.REPRICING, repricing.pk)


def _run(claimed: Repricing, own: Beside) -> str:
    """Do it, and write down how it ended, in one transaction; an error that is none of its calls is raised as well."""
    named = f"{claimed.organization.slug}: {claimed.pattern}"
    try:
        with transaction.atomic():
            done = _undo(claimed) if claimed.is_undo else _reprice(claimed, own)
    except InvalidCall as error:
        _fail(claimed, f"{error}. Nothing was changed.")
        return f"{named}: {error}"
    except Error as error:
        reason = str(error).partition("\n")[0]
        _fail(claimed, f"The database failed: {reason}. Nothing was changed.")
        raise
    except SystemExit:  # as django-q2 ends what takes too long
        _fail(claimed, TOO_LONG)
        raise
    except Exception:
        logger.exception("Repricing %s failed.", claimed.pk)
        _fail(claimed, BROKEN)
        raise
    return f"{named}: {done}"


def _reprice(claimed: Repricing, own: Beside) -> str:
    criteria = Criteria(claimed.first, claimed.last, pattern=claimed.pattern)
    watch = _Watch(claimed, own)
    total = reprice(claimed.organization, criteria, keep_for=claimed, seen=watch.see).total
    changed = {name: getattr(total, name) for name in ("calls", "before", "after", "unpriced_before", "unpriced_after")}
    _end(claimed, rows=watch.rows, **changed)
    return f"{plural(total.calls, 'call')} repriced"


def _undo(claimed: Repricing) -> str:
    restored = undo(claimed)
    _end(claimed, restored=restored.calls)
    return f"{plural(restored.calls, 'call')} put back"


class _Watch:
    """Counts the calls that were looked at, and tells the page now and then."""

    def __init__(self, claimed: Repricing, own: Beside) -> None:
        self._claimed, self._own = claimed, own
        self._told = time.monotonic()
        self.rows = 0

    def see(self, rows: int) -> None:
        """Count so many more."""
        self.rows += rows
        if time.monotonic() - self._told > SECONDS:
            self._told = time.monotonic()
            self._own.row(TELL, {"id": self._claimed.pk, "rows": self.rows})


def _end(claimed: Repricing, **fields: object) -> None:
    if not _running(claimed).update(state=RepricingState.DONE, finished_at=clock.now(), **fields):
        raise LockLost(f"Repricing {claimed.pk} was given to another worker: this one changes nothing.")


def _fail(claimed: Repricing, problem: str) -> None:
    """Write down why nothing was changed; what could not be undone is done still, and may be undone again."""
    state = RepricingState.DONE if claimed.is_undo else RepricingState.FAILED
    ended = {"state": state, "is_undo": False, "finished_at": clock.now(), "problem": problem}
    _running(claimed).update(**ended)


def _running(claimed: Repricing) -> QuerySet[Repricing]:
    """The repricing, unless it has ended since it was read."""
    return Repricing.objects.filter(pk=claimed.pk, state=RepricingState.RUNNING)
