"""`manage.py create_api_key`: a key with which a client may record calls, read what they come to, or manage."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.accounts import keys
from aggregates.accounts.access import NoAccess
from aggregates.accounts.forms.keys import KeyForm
from aggregates.management.arguments import find_organization
from aggregates.models import Kind, User


class Command(BaseCommand):
    help = "Create an API key of an organization and print it, alone on standard output: it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG", help="whose usage it is about")
        parser.add_argument("--name", required=True, help="who uses it, such as “checkout service”")
        parser.add_argument("--scope", choices=Kind.values, default=Kind.RECORD.value, help="default: record")

        parser.add_argument(
            "--by", metavar="EMAIL", help="of a key that manages: the owner or admin as whom it acts; needed for one"
        )

        parser.add_argument(
            "--label",
            dest="labels",
            metavar="NAME=TEXT",
            action="append",
            default=[],
            help="a label of every call that comes with it, as team=search; may be given several times",
        )

        for name in ("project", "user"):
            parser.add_argument(
                f"--{name}",
                dest=f"{name}s",
                metavar=name.upper(),
                action="append",
                default=[],
                help=f"let a key that reads see only this {name}; may be given several times",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        organization = find_organization(options["organization"])
        form = KeyForm(
            {
                "name": options["name"],
                "kind": options["scope"],
                "labels": ",".join(options["labels"]),
                **{name: "\n".join(options[name]) for name in ("projects", "users")},
            }
        )
        if not form.is_valid():
            raise CommandError(" ".join(f"{name}: {found[0]}" for name, found in form.errors.items()))
        data = form.cleaned_data
        maker = User.objects.named(options["by"]).first() if options["by"] else None
        try:
            key, made = keys.create(organization, data["name"], maker, form.chosen_kind, data["labels"], form.limits)
        except NoAccess:
            raise CommandError(f"--by: expected the address of an owner or admin of {organization.slug}.") from None
        except keys.CannotMake as error:
            raise CommandError(str(error)) from None
        self.stdout.write(made.text)
        self.stderr.write(f"This is the key “{key.name}” of {organization.name}. Keep it: it is not shown again.")
