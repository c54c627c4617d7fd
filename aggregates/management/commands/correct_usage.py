"""`manage.py correct_usage`: delete calls and charges that should not be in the log, or give calls another cost."""

from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from aggregates.domain import money
from aggregates.domain.calls import InvalidCall
from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.formats import plural
from aggregates.domain.numbers import read_decimal
from aggregates.domain.units import BY_NAME as UNITS
from aggregates.ingest.correcting import (
    Change,
    Corrected,
    Correction,
    Criteria,
    Delete,
    Unprice,
    correct,
    preview,
)
from aggregates.management.arguments import condition, find_organization, iso_date, left_alone
from aggregates.models.log import CostSource, RowKind, Status
from aggregates.models.price import PRICE_PLACES, PRICES, most_of
from aggregates.pricing.rates import Prices
from aggregates.query.reports import aligned


def price(text: str) -> tuple[str, Decimal]:
    """Parse KIND=USD, for argparse: US dollars per million tokens of a kind, or for a unit."""
    kind, _, amount = text.partition("=")
    most = most_of(kind)
    expected = (
        f"expected {'=USD, '.join(PRICES)}=USD, or a unit and USD, with USD from 0 to {most:,} "
        f"and at most {PRICE_PLACES} decimals"
    )
    try:
        value = read_decimal(amount)
    except InvalidOperation:
        raise ArgumentTypeError(f"{expected}, got “{text}”") from None
    places = value.as_tuple().exponent
    is_known = kind in PRICES or kind in UNITS
    if not is_known or not isinstance(places, int) or not 0 <= value <= most or places < -PRICE_PLACES:
        raise ArgumentTypeError(f"{expected}, got “{text}”")
    return kind, value


class Command(BaseCommand):
    help = "Delete calls and charges, or change what calls cost: shows what would change by month; --apply does it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", required=True)
        chosen = parser.add_argument_group("which calls; all that is given has to be so")
        chosen.add_argument("--from", dest="first", metavar="DATE", type=iso_date, help="first day, in its time zone")
        chosen.add_argument("--to", dest="last", metavar="DATE", type=iso_date, help="last day, included")
        chosen.add_argument(
            "--filter",
            dest="filters",
            metavar="DIMENSION=VALUE",
            type=condition,
            nargs="+",
            action="extend",
            default=[],
            help=f"one of {', '.join(BY_NAME)}; an empty value means unknown",
        )
        chosen.add_argument("--request-id", metavar="ID", nargs="+", action="extend", default=[])
        chosen.add_argument("--status", choices=Status.values)
        chosen.add_argument("--cost-source", choices=CostSource.values, help="where their cost comes from now")
        chosen.add_argument("--kind", choices=RowKind.values, help="calls or charges only")
        chosen.add_argument("--all", action="store_true", help="every call and charge of the organization")
        what = parser.add_argument_group("what to do with them").add_mutually_exclusive_group(required=True)
        what.add_argument("--delete", action="store_true", help="take them out of the log")
        what.add_argument("--unprice", action="store_true", help="forget what they cost")
        what.add_argument(
            "--price",
            metavar="KIND=USD",
            type=price,
            nargs="+",
            help=f"price them: US dollars per million tokens of a kind ({', '.join(PRICES)}), as set_price takes them: "
            "input and output are needed, and a part that is not given is priced as its whole; and of units",
        )
        parser.add_argument("--apply", action="store_true", help="do it; without this it is only shown")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        criteria, correction = criteria_of(**options), correction_of(**options)
        if criteria == Criteria() and not options["all"]:
            raise CommandError("Say which calls are meant: --from, --to, --filter, --request-id, ..., or --all.")
        try:
            done = (correct if options["apply"] else preview)(organization, criteria, correction)
        except InvalidCall as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        except Error as error:
            raise CommandError(
                f"The database failed: {str(error).partition(chr(10))[0]}. Nothing was changed."
            ) from error
        if done.kept:
            self.stdout.write(left_alone(done.kept))
        if not done.months:
            self.stdout.write("No call would change." if not options["apply"] else "No call was changed.")
            return
        self.stdout.write(as_table(done))
        calls = in_words(done.total)
        verb = "deleted" if isinstance(correction, Delete) else "given another cost"
        if options["apply"]:
            self.stdout.write(f"\n{calls} {verb}. Pages are right from now on; the days are soon rolled up again.")
        else:
            self.stdout.write(f"\n{calls} would be {verb}. Nothing was changed: --apply does it.")


def criteria_of(filters: list[tuple[str, str]], request_id: list[str], **options: Any) -> Criteria:
    names = [name for name, _ in filters]
    for name in names:
        if name not in BY_NAME:
            raise CommandError(f"--filter: unknown dimension “{name}”: expected one of {', '.join(BY_NAME)}.")
        if names.count(name) > 1:
            raise CommandError(f"--filter takes one value for {name}: no call has two.")
    first, last = options["first"], options["last"]
    if first and last and first > last:
        raise CommandError(f"The span ends before it begins: {first} is after {last}.")
    return Criteria(
        first, last, tuple(filters), tuple(request_id), options["status"], options["cost_source"], options["kind"]
    )


def correction_of(delete: bool, unprice: bool, price: list[tuple[str, Decimal]] | None, **options: Any) -> Correction:
    if not price:
        return Delete() if delete else Unprice()
    prices = {kind: amount for kind, amount in price if kind in PRICES}
    units = {kind: amount for kind, amount in price if kind not in PRICES}
    if len(prices) + len(units) < len(price):
        raise CommandError("--price takes one price for each kind of token or unit.")
    for needed in ("input", "output"):
        if needed not in prices:
            raise CommandError(f"--price: {needed}=USD is needed, too; {needed}=0 where it is free.")
    return Prices(**prices, units=units)


def as_table(corrected: Corrected) -> str:
    has_charges = bool(corrected.total.charges)
    counted = ["calls", "charges"] if has_charges else ["calls"]
    lines = [["month", *counted, "cost before", "after", "change", "unpriced before", "after"]]
    lines += [line(f"{month:%Y-%m}", change, has_charges) for month, change in sorted(corrected.months.items())]
    return aligned([*lines, line("total", corrected.total, has_charges)], left=1)


def in_words(change: Change) -> str:
    if not change.charges:
        return plural(change.calls, "call")
    charges = plural(change.charges, "charge")
    return f"{plural(change.calls, 'call')} and {charges}" if change.calls else charges


def line(name: str, change: Change, has_charges: bool) -> list[str]:
    before, after = money.stored(change.before), money.stored(change.after)
    costs = [f"{before:,f}", f"{after:,f}", f"{after - before:+,f}"]
    counted = [f"{change.calls:,}", f"{change.charges:,}"] if has_charges else [f"{change.calls:,}"]
    return [name, *counted, *costs, f"{change.unpriced_before:,}", f"{change.unpriced_after:,}"]
