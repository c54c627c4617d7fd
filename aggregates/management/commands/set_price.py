"""`manage.py set_price`: what an organization pays for models that match a pattern, in place of published prices."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.domain.units import BY_NAME as UNITS
from aggregates.management.arguments import find_organization
from aggregates.models.price import PRICES
from aggregates.pricing import overrides
from aggregates.pricing.forms.prices import PriceForm


class Command(BaseCommand):
    help = "Set an organization's own price of models, or list or remove such prices."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG")
        parser.add_argument("model", metavar="PATTERN", nargs="?", help="a model's name; * stands for any text")
        parser.add_argument("--tier", default="", help="of which tier, as batch or fast; the plain one unless said")
        parser.add_argument("--from", dest="first", metavar="DATE", help="first day, in the organization's time zone")
        parser.add_argument("--to", dest="last", metavar="DATE", help="last day, included")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--price",
            metavar="KIND=USD",
            nargs="+",
            help=f"US dollars per million tokens of a kind ({', '.join(PRICES)}); input and output are needed; "
            f"and for one of a unit, of tokens and characters for a million ({', '.join(UNITS)})",
        )
        what.add_argument("--remove", action="store_true", help="remove the price of this pattern from this day")
        what.add_argument("--list", action="store_true", help="show what is set")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        if options["list"]:
            for each in overrides.prices_of(organization):
                prices = " ".join(f"{kind}={value:f}" for kind in PRICES if (value := getattr(each, kind)) is not None)
                prices = " ".join([prices, *(f"{name}={value}" for name, value in each.units.items())])
                tier = f" ({each.tier})" if each.tier else ""
                self.stdout.write(
                    f"{each.pattern}{tier} from {each.first or 'ever'} to {each.last or 'ever'}: {prices}"
                )
            return
        given = dict(_parse_price(text) for text in options["price"] or ["input=0", "output=0"])
        days = {name: options[name] or "" for name in ("first", "last")}
        units = " ".join(f"{kind}={amount}" for kind, amount in given.items() if kind in UNITS)
        tokens = {kind: amount for kind, amount in given.items() if kind in PRICES}
        said = {"pattern": options["model"] or "", "tier": options["tier"], "units": units}
        form = PriceForm({**said, **days, **tokens})
        if not form.is_valid():
            raise CommandError(" ".join(f"{name}: {message}" for name, message in form.problems))
        pattern, tier, first = (form.cleaned_data[name] for name in ("pattern", "tier", "first"))
        if options["remove"]:
            found = overrides.prices_of(organization).filter(pattern=pattern, tier=tier, first=first).first()
            if not found:
                raise CommandError(f"There is no price of “{pattern}” from {first or 'ever'}.")
            overrides.remove(organization, found.pk)
            self.stdout.write(f"Removed the price of “{pattern}”. Calls that it priced keep their cost.")
            return
        try:
            form.save_for(organization, created_by=None)
        except overrides.CannotSet as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Calls of “{pattern}” are priced by it from now on; reprice does it for earlier ones.")


def _parse_price(text: str) -> tuple[str, str]:
    kind, equals, amount = text.partition("=")
    if not equals or (kind not in PRICES and kind not in UNITS):
        raise CommandError(f"--price: expected {'=USD, '.join(PRICES)}=USD, or a unit and USD, got “{text}”.")
    return kind, amount
