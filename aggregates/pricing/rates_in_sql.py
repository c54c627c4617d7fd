"""What calls in the log cost at given rates, as SQL: to the last digit what `Rates.cost` says of each."""

from decimal import Decimal

from psycopg import sql

from aggregates.domain.calls import MAX_COST
from aggregates.domain.money import STORED
from aggregates.domain.units import BY_NAME, FINEST, UNITS
from aggregates.pricing.rates import OFF, OFF_BEFORE, TOKENS, Rates


def cost_in_sql(rates: Rates) -> sql.Composed:
    """Compose the cost of a row of the log, NULL where there is no price.

    Raises ValueError for a rate with more decimals than a cost has, together with the quantity that it is for: the
    database would round otherwise than we do.
    """
    terms: list[sql.Composable] = [sql.Literal(_checked(rates.call))]
    for kind, (whole, *parts) in TOKENS.items():
        tokens = sql.SQL(" - ").join(
            [*map(sql.Identifier, (whole, *parts)), *(_quantity(name) for name in OFF.get(kind, ()))]
        )
        tokens = sql.SQL(" + ").join([tokens, *(_quantity(name) for name in OFF_BEFORE.get(kind, ()))])
        rate = getattr(rates, kind)
        priced = sql.SQL("CASE WHEN {tokens} = 0 THEN 0 END" if rate is None else "({tokens}) * {rate}").format(
            tokens=tokens, rate=sql.Literal(None if rate is None else _checked(rate))
        )
        terms.append(sql.SQL("CASE WHEN {} >= 0 THEN {} END").format(tokens, priced) if kind in OFF else priced)
    terms.append(
        sql.SQL("CASE WHEN units IS NULL THEN 0 WHEN units - {known}::text[] = '{{}}' THEN {sum} END").format(
            known=sql.Literal(list(rates.units)), sum=_of_units(rates)
        )
    )
    return sql.SQL(
        "CASE WHEN input_tokens = 0 AND output_tokens = 0 AND units IS NULL AND status = 'ok' THEN NULL "
        "WHEN {cost} < {most} THEN {cost} END"
    ).format(cost=sql.SQL(" + ").join(terms), most=sql.Literal(MAX_COST))


def _of_units(rates: Rates) -> sql.Composable:
    terms: list[sql.Composable] = [
        sql.SQL("({} - {}) * {}").format(
            _quantity(unit.name),
            _quantity(unit.cached) if unit.cached else sql.SQL("0"),
            sql.Literal(_checked(rates.units[unit.name], 1 if unit.is_whole else FINEST)),
        )
        for unit in UNITS
        if unit.name in rates.units
    ]
    return sql.SQL(" + ").join(terms or [sql.SQL("0")])


def _quantity(name: str) -> sql.Composed:
    return sql.SQL("COALESCE((units ->> {})::numeric, 0)").format(sql.Literal(BY_NAME[name].name))


def _checked(rate: Decimal, finest: Decimal | int = 1) -> Decimal:
    """The rate as an exact number with the decimals of a cost, so that every product is one; `finest` is the smallest
    quantity that it is for."""
    fine = rate.quantize(STORED / finest)
    if fine != rate:
        raise ValueError(f"expected a rate with at most {-(STORED / finest).as_tuple().exponent} decimals, got {rate}")  # type: ignore[operator]
    return fine
