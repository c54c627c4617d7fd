"""`manage.py replace_user`: replaces a user's name by a pseudonym, as privacy laws give people a right to."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from aggregates.domain.calls import MAX_TEXT_BYTES
from aggregates.domain.formats import plural
from aggregates.management.arguments import find_organization
from aggregates.query.reports import aligned
from aggregates.rollup.names_elsewhere import replace_elsewhere, waiting_files
from aggregates.rollup.pseudonyms import Replaced, preview, pseudonym_of, replace

NOT_COVERED = (
    "Not covered: backups, archived WAL and standbys cut off from this server, files that were exported, and logs of "
    "your own. A backup that is restored brings the name back: run this again then."
)
LATER = (
    "Calls of that name that come later are recorded as they are sent: have their senders use the pseudonym, or run "
    "this again, which gives the same one."
)


class Command(BaseCommand):
    help = (
        "Replace a user's name by a pseudonym wherever it stands: as user, as subject, as the text of a label, in sums "
        "of days whose calls are gone, and in texts of imports. Shows what changes by month; --apply does it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="exactly as it was recorded")
        parser.add_argument("--organization", metavar="SLUG", required=True)
        parser.add_argument("--apply", action="store_true", help="do it; without this it is only shown")

    def handle(self, *args: Any, **options: Any) -> None:
        organization, name, applied = find_organization(options["organization"]), options["name"], options["apply"]
        if not name.strip() or "\0" in name or len(name.encode()) > MAX_TEXT_BYTES:
            raise CommandError(f"NAME: expected a name of at most {MAX_TEXT_BYTES} bytes.")
        try:
            if applied:
                new = pseudonym_of(organization, name)
                self.stdout.write(f"The pseudonym is {new}.")
                self.stdout.flush()
                done = replace(organization, name, new)
                elsewhere = replace_elsewhere(organization, name, new, apply=True)
            else:
                done = preview(organization, name)
                elsewhere = replace_elsewhere(organization, name, "", apply=False)
        except Error as error:
            reason = str(error).partition("\n")[0]
            rest = "Days that were done stay done; run it again." if applied else "Nothing was changed."
            raise CommandError(f"The database failed: {reason}. {rest}") from error
        self.report(done, elsewhere, applied)
        if waiting := waiting_files(organization):
            self.stdout.write(f"Not looked into: {plural(waiting, 'file')} that wait to be imported.")
        self.stdout.write(NOT_COVERED)
        self.stdout.write(LATER)

    def report(self, done: Replaced, elsewhere: Counter[str], applied: bool) -> None:
        if done.months:
            lines = [["month", "rows of the log"]]
            lines += [[f"{month:%Y-%m}", f"{rows:,}"] for month, rows in sorted(done.months.items())]
            self.stdout.write(aligned([*lines, ["total", f"{done.total:,}"]], left=1))
        if done.kept:
            self.stdout.write(f"Sums of {plural(len(done.kept), 'day')} whose calls are no longer all in the log.")
        for what, rows in sorted(elsewhere.items()):
            self.stdout.write(f"{what[:1].upper()}{what[1:]}: {rows:,}.")
        if not (done.months or done.kept or elsewhere):
            self.stdout.write("The name stands nowhere here.")
        elif applied:
            self.stdout.write("Replaced. No sum of calls, tokens or cost changed.")
        else:
            self.stdout.write("Nothing was changed: --apply does it.")
