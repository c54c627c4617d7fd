"""`manage.py generate_usage`: made-up calls in any number, to try the site under load."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from aggregates.db import clock
from aggregates.domain.days import date_of, zone_names
from aggregates.domain.formats import plural
from aggregates.management.arguments import iso_date
from aggregates.ops import load
from aggregates.ops.load.amounts import Load, LoadError

MOST_CALLS = 1_000_000_000
MOST_DAYS = 3660
MOST_ORGANIZATIONS = 1000
MOST_USERS = MOST_SUBJECTS = 1_000_000  # their names are held in memory


def whole(least: int, most: int) -> Callable[[str], int]:
    """Parse a whole number in digits, for argparse, also with commas or underscores between them."""

    def number(text: str) -> int:
        digits = text.replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 and least <= int(digits) <= most):
            raise ArgumentTypeError(f"expected a whole number from {least:,} to {most:,}, got “{text}”")
        return int(digits)

    return number


def time_zone(text: str) -> str:
    """Parse a time zone's IANA name, for argparse."""
    if text not in zone_names():
        raise ArgumentTypeError(f"expected an IANA name such as Europe/Berlin, got “{text}”")
    return text


class Command(BaseCommand):
    help = (
        "Make up calls of organizations load-1, load-2, ..., the first the biggest, to try the site under load. "
        "The same arguments make the same calls, so a second run adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        def number(name: str, least: int, most: int, default: int | None, text: str) -> None:
            told = f"{text} (default: %(default)s)" if default is not None else text
            parser.add_argument(name, metavar="N", type=whole(least, most), default=default, help=told)

        parser.add_argument(
            "--calls", metavar="N", type=whole(1, MOST_CALLS), required=True, help="how many, of all organizations"
        )
        number("--days", 1, MOST_DAYS, 365, "on how many days")
        parser.add_argument("--until", metavar="DATE", type=iso_date, help="the last of the days (default: today)")
        parser.add_argument(
            "--time-zone",
            metavar="ZONE",
            type=time_zone,
            default="UTC",
            help="whose midnights cut the days, also for organizations that are made (default: %(default)s)",
        )
        number("--organizations", 1, MOST_ORGANIZATIONS, 10, "of how many organizations")
        number("--users", 1, MOST_USERS, 200, "users of each organization")
        number("--subjects", 1, MOST_SUBJECTS, 20_000, "subjects of each organization")
        number("--seed", 0, MOST_CALLS, 1, "another one makes other calls")
        number("--today", 0, MOST_CALLS, None, "how many of the biggest organization's calls are of today, up to now")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = wanted_load(**options)
        try:
            with tqdm(total=wanted.calls, unit=" calls", unit_scale=True, leave=False, disable=None) as bar:
                recorded = load.generate(wanted, bar.update)
        except LoadError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Asked for the same again, it goes on from here.", returncode=130) from None
        self.stdout.write(
            f"{plural(wanted.calls, 'call')} of {plural(wanted.organizations, 'organization')}, "
            f"{wanted.first} to {wanted.last}: {recorded.new:,} new, {recorded.already_there:,} already there."
        )


def wanted_load(calls: int, days: int, **options: Any) -> Load:
    now, zone = clock.now(), options["time_zone"]
    last = options["until"] or date_of(now, zone)
    amounts = {name: options[name] for name in ("organizations", "users", "subjects", "seed", "today")}
    try:
        return Load(calls, last - timedelta(days=days - 1), last, now, zone=zone, **amounts)
    except LoadError as error:
        raise CommandError(str(error)) from None
