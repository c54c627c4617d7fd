"""`manage.py create_api_key`: a key with which a client may record calls, or read what they come to."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from aggregates.accounts import keys
from aggregates.management.arguments import find_organization
from aggregates.models import Kind
from aggregates.web.forms.keys import KeyForm


class Command(BaseCommand):
    help = "Create an API key of an organization and print it, alone on standard output: it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG", help="whose usage it is about")
        parser.add_argument("--name", required=True, help="who uses it, such as “checkout service”")
        parser.add_argument("--scope", choices=Kind.values, default=Kind.RECORD.value, help="default: record")

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
        key, made = keys.create(organization, data["name"], None, form.chosen_kind, data["labels"], form.limits)
        self.stdout.write(made.text)
        self.stderr.write(f"This is the key “{key.name}” of {organization.name}. Keep it: it is not shown again.")
