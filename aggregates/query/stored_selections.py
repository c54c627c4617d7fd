"""Filters that are too long for an address: kept when a page that has them is opened, and written as a short name.

To keep them changes nothing that anybody sees: the same filters have the same name, and those that nobody uses any more
are forgotten.
"""

import json
import logging
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import urlencode

from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from aggregates.domain.scopes import Scope
from aggregates.models import Organization, StoredSelection
from aggregates.query.selection import Pairs, Selection

MAX_VALUES = 100  # of one dimension, in an address
LONGEST = 1_500  # characters of filters in one: proxies and our own server take 4,000 for all of it
MAX_PAIRS = 2_000  # of one selection
MOST = 2_000  # of an organization; beyond them, those that were not used for longest go
UNUSED = timedelta(days=400)  # after which they are forgotten: longer than from one year's report to the next
NOTED = timedelta(days=1)  # how exactly it is known when they were used last

logger = logging.getLogger(__name__)


def parameters_of(filters: Pairs, excluded: Pairs) -> dict[str, list[str]]:
    """Give the URL parameters of filters: a dimension's name with values to keep, `not_` before it to leave out."""
    parameters: dict[str, list[str]] = {}
    for prefix, pairs in (("", filters), ("not_", excluded)):
        for name, value in pairs:
            parameters.setdefault(f"{prefix}{name}", []).append(value)
    return parameters


def is_long(selection: Selection) -> bool:
    """Say whether the filters are too long for an address: there, they have a short name."""
    return _is_long(selection.filters, selection.excluded)


@lru_cache(maxsize=1_000)  # a page has many links to the same filters
def _is_long(filters: Pairs, excluded: Pairs) -> bool:
    parameters = parameters_of(filters, excluded)
    is_many = any(len(values) > MAX_VALUES for values in parameters.values())
    return is_many or len(urlencode(parameters, doseq=True)) > LONGEST


def key_of(selection: Selection) -> str:
    """Give the short name of the filters, which is made of them, in whatever order they were chosen."""
    return _key_of(selection.filters, selection.excluded, selection.organization.scope)


@lru_cache(maxsize=1_000)
def _key_of(filters: Pairs, excluded: Pairs, scope: Scope) -> str:
    """Give them another name within a scope: what is kept there names nothing that is out of sight."""
    named = [sorted(filters), sorted(excluded), *([scope.values] if scope else [])]
    return blake2b(json.dumps(named).encode(), digest_size=12).hexdigest()


def keep(*selections: Selection) -> None:
    """Keep those selections that are too long for an address; where nothing can be written, say so in the log."""
    long = [selection for selection in selections if is_long(selection)]
    if not long:
        return
    try:
        with transaction.atomic():
            for selection in long:
                _keep(selection)
    except DatabaseError as error:
        logger.warning("A selection that is too long for an address could not be kept: %s", type(error).__name__)


def _keep(selection: Selection) -> None:
    stored = StoredSelection.objects.filter(organization=selection.organization)
    own = stored.filter(key=key_of(selection))
    if own.exists():
        own.filter(used_at__lt=Now() - NOTED).update(used_at=Now())
        return
    row = StoredSelection(
        organization=selection.organization,
        key=key_of(selection),
        filters=selection.filters,
        excluded=selection.excluded,
    )
    StoredSelection.objects.bulk_create([row], ignore_conflicts=True)
    beyond = stored.order_by("-used_at", "-pk").values_list("pk", flat=True)[MOST:]
    stored.filter(pk__in=list(beyond)).delete()


def find(organization: Organization, key: str) -> tuple[Pairs, Pairs] | None:
    """Find what to keep and what to leave out by its short name; None where it is not kept (any more), or was by
    somebody with another scope."""
    found = StoredSelection.objects.filter(organization=organization, key=key).first()
    if found is None:
        return None
    filters, excluded = _pairs(found.filters), _pairs(found.excluded)
    return (filters, excluded) if key == _key_of(filters, excluded, organization.scope) else None


def _pairs(kept: list[list[str]]) -> Pairs:
    return tuple((name, value) for name, value in kept)


def forget() -> int:
    """Forget what nobody has used for long; how many there were."""
    return StoredSelection.objects.filter(used_at__lt=Now() - UNUSED).delete()[0]


def forget_value(organization: Organization, value: str, *, apply: bool) -> int:
    """Forget, or with `apply` false only count, what names a value: it is to be named nowhere any more."""
    stored = StoredSelection.objects.select_for_update().filter(organization=organization)
    named = [each.pk for each in stored if any(pair[1] == value for pair in (*each.filters, *each.excluded))]
    if apply:
        StoredSelection.objects.filter(pk__in=named).delete()
    return len(named)
