"""What the demo's models cost: plausible list prices."""

from dataclasses import dataclass
from decimal import Decimal

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of each kind."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal

    def of(self, input_tokens: int, cached_tokens: int, cache_write_tokens: int, output_tokens: int) -> Decimal:
        """Return the cost of a call in US dollars; input includes the cached and cache-write tokens, as everywhere."""
        uncached = input_tokens - cached_tokens - cache_write_tokens
        dollars = uncached * self.input + cached_tokens * self.cached
        return (dollars + cache_write_tokens * self.cache_write + output_tokens * self.output) / MILLION


def price(*dollars: str) -> Price:
    return Price(*map(Decimal, dollars))


# A model that is not listed has no price: the demo's self-hosted one.
PRICES = {
    "gpt-4o": price("2.50", "1.25", "2.50", "10"),
    "gpt-5": price("1.25", "0.125", "1.25", "10"),
    "gpt-5-mini": price("0.25", "0.025", "0.25", "2"),
    "claude-sonnet-4": price("3", "0.30", "3.75", "15"),
    "claude-sonnet-4-5": price("3", "0.30", "3.75", "15"),
    "claude-haiku-4-5": price("1", "0.10", "1.25", "5"),
    "claude-opus-4-1": price("15", "1.50", "18.75", "75"),
    "gemini-2.5-flash": price("0.30", "0.03", "0.30", "2.50"),
    "gemini-2.5-pro": price("1.25", "0.125", "1.25", "10"),
    "text-embedding-3-large": price("0.13", "0.13", "0.13", "0"),
}
