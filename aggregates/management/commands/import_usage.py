"""`manage.py import_usage`: record the calls of a CSV or JSONL file."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, transaction
from tqdm import tqdm

from aggregates import ingest
from aggregates.db import audit
from aggregates.domain.calls import Call, InvalidCall, parse_time
from aggregates.domain.formats import plural
from aggregates.ingest.importing import saved
from aggregates.ingest.importing.arrivals import add_file, counted_file, misfit_in_words
from aggregates.ingest.importing.calls_of_file import FileCalls, RowRejected
from aggregates.ingest.importing.files import UnreadableFile, UsageFile, open_usage_file
from aggregates.ingest.importing.mappings import MAX_SHOWN, FieldMapping, MappingError, quoted
from aggregates.ingest.importing.presets import BY_NAME, OWN, PRESETS
from aggregates.ingest.importing.recording import record_file
from aggregates.management.arguments import find_organization
from aggregates.models import Event, Organization, SavedPreset

STEP = 1000  # calls between two looks at the progress


def assignment(text: str) -> tuple[str, str]:
    """Parse FIELD=SOMETHING, for argparse."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"expected FIELD=..., got “{text}”")
    return name.strip(), value.strip()


def time(text: str) -> datetime:
    """Parse a time as a log may write it, for argparse."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}, got “{text}”") from None


class Command(BaseCommand):
    help = "Record the calls of a file, CSV with a header or one JSON object a line, plain or gzip; all or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        presets = "; ".join(f"{preset.name}: {preset.about}" for preset in PRESETS)
        parser.add_argument("file", metavar="FILE", help="where to read; - is standard input")
        parser.add_argument("--organization", metavar="SLUG", required=True, help="whose calls they are")
        parser.add_argument(
            "--map",
            dest="paths",
            metavar="FIELD=PATH",
            type=assignment,
            action="append",
            default=[],
            help="take a field from this CSV column or JSON path, such as model=request.model; may be repeated",
        )
        parser.add_argument(
            "--set",
            dest="values",
            metavar="FIELD=VALUE",
            type=assignment,
            action="append",
            default=[],
            help="give a field this value in every row; may be repeated",
        )
        parser.add_argument(
            "--preset", metavar="NAME", help=f"auto: what the file is recognised as; {presets}; or one that was saved"
        )
        parser.add_argument(
            "--save-preset",
            metavar="NAME",
            help="keep the mapping, as it is given here, as a preset of the organization",
        )
        parser.add_argument("--start", metavar="TIME", type=time, help="timestamps are seconds after this time")
        parser.add_argument(
            "--on-error",
            choices=["stop", "skip"],
            default="stop",
            help="at a row that is no call: record nothing of the file (default), or only leave out that row",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = "standard input" if options["file"] == "-" else options["file"]
        try:
            more = mapping_of_arguments(**options)
            organization = find_organization(options["organization"])
            preset = preset_of_arguments(organization, more, options["preset"], options["save_preset"])
            with counted_file(organization, name) as tally:
                with open_usage_file(options["file"]) as file, transaction.atomic():
                    done = record_file(
                        organization,
                        file,
                        preset,
                        skip_rejected=options["on_error"] == "skip",
                        passed=lambda calls: self.with_progress(calls, file),
                    )
                    if options["save_preset"]:
                        saved.save(preset, options["save_preset"])
                    told = {"rows": done.calls.rows, "new": done.recorded.new}
                    audit.write(Event.IMPORTED, organization, after=told)
                add_file(tally, done.calls, done.recorded)
        except MappingError as error:
            raise CommandError(f"{error}.") from None
        except (UnreadableFile, RowRejected, InvalidCall) as error:
            raise CommandError(f"{name}: {error}. Nothing of it was recorded.") from None
        except Error as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The database failed: {reason}. Nothing of {name} was recorded.") from error
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. Nothing of {name} was recorded.", returncode=130) from None
        if done.recognized:
            self.stdout.write(f"Recognised as {done.recognized.name}: {done.recognized.about}.")
        self.report(name, done.calls, done.recorded)
        if note := (done.recognized or BY_NAME.get(preset.base, OWN)).note:
            self.stdout.write(f"{note}.")
        if options["save_preset"]:
            self.stdout.write(f"Saved: --organization {organization.slug} --preset {options['save_preset']}")

    def with_progress(self, calls: FileCalls, file: UsageFile) -> Iterator[Call]:
        """Pass the calls on, on a terminal with a progress bar: by bytes of the file where their number is known."""
        unit = "B" if file.size else " rows"
        with tqdm(total=file.size, unit=unit, unit_scale=True, leave=False, disable=None) as bar:
            for number, call in enumerate(calls):
                yield call
                if not bar.disable and number % STEP == 0:
                    bar.update((file.position() if file.size else number) - bar.n)
            if not bar.disable:
                bar.write("All is read; now the database writes it to the log.", file=sys.stderr)

    def report(self, name: str, calls: FileCalls, recorded: ingest.Recorded) -> None:
        for rejection in calls.rejections:
            self.stderr.write(str(rejection))
        if more := calls.rejected - len(calls.rejections):
            self.stderr.write(f"and {more:,} more")
        for misfit, number in calls.misfits.items():
            self.stderr.write(f"{misfit_in_words(misfit)}, in {plural(number, 'call')}")
        self.stdout.write(
            f"{name}: {plural(calls.rows, 'row')} read: {recorded.new:,} new, {recorded.already_there:,} already "
            f"there, {calls.rejected:,} rejected{f', {calls.left_out:,} of another kind' if calls.left_out else ''}"
            f"{f', {calls.pieces:,} earlier or repeated pieces of calls' if calls.pieces else ''}."
        )
        if calls.never_found:
            self.stdout.write(f"In no row: {quoted_list(calls.never_found)}")
        if calls.unused:
            self.stdout.write(f"Not used: {quoted_list(calls.unused)}")


def mapping_of_arguments(
    paths: list[tuple[str, str]], values: list[tuple[str, str]], start: datetime | None, **options: Any
) -> FieldMapping:
    """Read the mapping that the arguments are by themselves; raises MappingError."""
    for given in (paths, values):
        names = [name for name, _ in given]
        if twice := [name for name in names if names.count(name) > 1]:
            raise MappingError(f"{twice[0]} is given twice")
    return FieldMapping().overridden(dict(paths), dict(values), start)


def preset_of_arguments(
    organization: Organization, more: FieldMapping, name: str | None, save_as: str | None
) -> SavedPreset:
    """Find the preset that the arguments ask for, with what they add; raises MappingError."""
    if save_as is not None:
        saved.check_name(save_as)
    return saved.with_more(saved.start_from(organization, name), more)


def quoted_list(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:MAX_SHOWN])) + (", …" if len(names) > MAX_SHOWN else "")
