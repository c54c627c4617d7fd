"""What calls cost whose sender did not say: by the organization's own prices, else by the price table."""

from aggregates.pricing.pricer import Priced, Pricer

__all__ = ["Priced", "Pricer"]
