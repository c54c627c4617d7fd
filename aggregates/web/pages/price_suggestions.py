"""What the form of an own price begins with: the model that has none, and the published price of one like it."""

from dataclasses import dataclass, field

from django.utils import timezone

from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.pricing.forms.prices import typed
from aggregates.pricing.models_in_use import nearest_of, published_price


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Fields of the form as they are typed; `nearest` is the model to take a price from, `taken` the one whose
    published price is in the fields."""

    provider: str = ""
    model: str = ""
    nearest: str = ""
    taken: str = ""
    initial: dict[str, str] = field(default_factory=dict)


def suggestion_for(provider: str, model: str, priced_as: str | None) -> Suggestion:
    """Suggest a price of a model: its own published one, or that of the model that it is to be priced as."""
    if not model or any(len(name.encode()) > MAX_TEXT_BYTES for name in (provider, model, priced_as or "")):
        return Suggestion()
    now = timezone.now()
    taken = priced_as or model
    published = published_price(provider, taken, now)
    prices = {name: typed(price) for name, price in published.prices.items()} if published else {}
    return Suggestion(
        *(provider, model),
        nearest="" if published else nearest_of(provider, model, now.date()),
        taken=taken if prices else "",
        initial={"pattern": model, **prices},
    )
