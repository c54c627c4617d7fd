"""The model with a published price that is most like one without: what its price may be taken from."""

import re
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches

from aggregates.domain.providers import provider_name
from aggregates.pricing.table import find, known_names

LAST_PART = re.compile(r"[-_.:@/][^-_.:@/]*$")
LIKE = 0.75  # how like two names are at least, as difflib counts it
LONGEST = 100  # characters of names that are compared


def nearest(provider: str, model: str, instant: datetime) -> str:
    """Find the name of a model with a price at that moment: the model's own without its last parts, else the one that
    is most like it, of the same provider if the table knows that. "" if there is none."""
    named = provider_name(provider)
    names = known_names(named) or known_names()
    likest = get_close_matches(model.lower()[:LONGEST], names, n=3, cutoff=LIKE)
    candidates = (*_shorter(model), *likest)
    return next((name for name in candidates if has_price(provider, name, instant)), "")


def has_price(provider: str, model: str, instant: datetime) -> bool:
    """Say whether the table has a price for the plain tier of the model at that moment."""
    found = find(provider, model)
    tariff = found.tariff(instant) if found else None
    return tariff is not None and tariff.tiers[-1][1].output is not None


def _shorter(model: str) -> Iterator[str]:
    name = model
    while (shorter := LAST_PART.sub("", name)) != name:
        yield shorter
        name = shorter
