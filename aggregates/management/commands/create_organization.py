"""`manage.py create_organization`: a new organization and its first owner."""

from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from aggregates.accounts import organizations
from aggregates.models import Organization, User


class Command(BaseCommand):
    help = "Create an organization with an owner, who is a new user or an existing one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="names the organization in addresses and commands, such as acme")
        parser.add_argument("--name", required=True, help="as people read it, such as “Acme Ltd.”")
        parser.add_argument(
            "--time-zone", default="UTC", help="IANA name of the zone whose midnights cut its days (default: UTC)"
        )
        parser.add_argument(
            "--owner",
            "--admin",
            dest="admin",
            metavar="EMAIL",
            required=True,
            help="its owner, who may see and manage it",
        )
        parser.add_argument("--password", help="of a new user; without it you are asked")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization(slug=options["slug"], name=options["name"], time_zone=options["time_zone"])
        check(organization)
        user = User.objects.named(options["admin"]).first()
        if user and options["password"]:
            raise CommandError(f"{user} has an account already and keeps its password: leave --password out.")
        known = user is not None
        user = user or new_user(options["admin"], options["password"])
        with transaction.atomic():
            user.save()
            try:
                organizations.create(organization, user)
            except organizations.SlugTaken as error:
                raise CommandError(str(error)) from None
        self.stdout.write(f"Created {organization.name}, days in {organization.time_zone}: /o/{organization.slug}/")
        self.stdout.write(f"{user} is its owner{' and keeps the password it had' if known else ''}.")


def new_user(email: str, password: str | None) -> User:
    """Make a user with a password that the command has or asks for; it is checked, and not saved yet."""
    user = User(email=User.objects.normalize_email(email))
    check(user, exclude=["password"])
    password = password or ask_password()
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(f"password: {' '.join(error.messages)}") from None
    user.set_password(password)
    return user


def ask_password() -> str:
    try:
        password, again = getpass("Password: "), getpass("Password (again): ")
    except (EOFError, KeyboardInterrupt):
        raise CommandError("No password was given.") from None
    if password != again:
        raise CommandError("The two passwords differ.")
    return password


def check(instance: Organization | User, exclude: list[str] | None = None) -> None:
    try:
        instance.full_clean(exclude=exclude)
    except ValidationError as error:
        problems = (f"{field.replace('_', '-')}: {' '.join(texts)}" for field, texts in error.message_dict.items())
        raise CommandError("\n".join(problems)) from None
