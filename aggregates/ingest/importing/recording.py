"""Recording the calls of a file: what the command and the page for imports do, in one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aggregates import ingest
from aggregates.domain.calls import Call
from aggregates.ingest.importing import saved
from aggregates.ingest.importing.calls_of_file import FileCalls
from aggregates.ingest.importing.files import UsageFile
from aggregates.ingest.importing.presets import Preset
from aggregates.ingest.importing.recognition import AUTO, recognize
from aggregates.models import Organization, SavedPreset


@dataclass(frozen=True, slots=True)
class FileRecorded:
    """What a file was recognised as, if that was asked for; its rows; and what became of its calls."""

    recognized: Preset | None
    calls: FileCalls
    recorded: ingest.Recorded


def record_file(
    organization: Organization,
    file: UsageFile,
    preset: SavedPreset,
    *,
    skip_rejected: bool,
    seen: Callable[[Call], None] = lambda call: None,
    passed: Callable[[FileCalls], Iterable[Call]] = iter,
) -> FileRecorded:
    """Record the calls of a file as a preset reads it, all or nothing.

    `seen` is told each call that a row tells, before any is recorded, and `passed` hands them on.
    Raises MappingError, UnreadableFile, InvalidCall and, unless rejected rows are skipped, RowRejected.
    """
    recognized = recognize(file) if preset.base == AUTO else None
    is_kept = ingest.retention_check(organization)

    def check(call: Call) -> None:
        is_kept(call)
        seen(call)

    mapping = saved.mapping_of(preset, recognized)
    calls = FileCalls(file, mapping, check=check, skip_rejected=skip_rejected)
    recorded = ingest.record(organization, passed(calls), ids_from_content=True)
    return FileRecorded(recognized, calls, recorded)
