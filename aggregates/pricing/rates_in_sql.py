"""What calls in the log cost at given rates, as SQL: to the last digit what `Rates.cost` says of each."""

from decimal import Decimal

from psycopg import sql

from aggregates.domain.money import STORED
from aggregates.pricing.rates import TOKENS, Rates


def cost_in_sql(rates: Rates) -> sql.Composed:
    """Compose the cost of a row of the log, NULL where there is no price.

    Raises ValueError for a rate with more decimals than a cost has: the database would round otherwise than we do.
    """
    terms: list[sql.Composable] = [sql.Literal(_checked(rates.call))]
    for kind, (whole, *parts) in TOKENS.items():
        tokens = sql.SQL(" - ").join(map(sql.Identifier, (whole, *parts)))
        rate = getattr(rates, kind)
        term = "CASE WHEN {tokens} = 0 THEN 0 END" if rate is None else "({tokens}) * {rate}"
        terms.append(sql.SQL(term).format(tokens=tokens, rate=sql.Literal(None if rate is None else _checked(rate))))
    nobody_counted = sql.SQL("input_tokens = 0 AND output_tokens = 0 AND status = 'ok'")
    return sql.SQL("CASE WHEN {} THEN NULL ELSE {} END").format(nobody_counted, sql.SQL(" + ").join(terms))


def _checked(rate: Decimal) -> Decimal:
    """The rate as an exact number with the decimals of a cost, so that every product is one."""
    fine = rate.quantize(STORED)
    if fine != rate:
        raise ValueError(f"expected a rate with at most 12 decimals, got {rate}")
    return fine
