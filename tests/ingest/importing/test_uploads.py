"""Files of the page for imports lie in the database in chunks, and are gone when nobody needs them any more."""

import gzip
from datetime import timedelta
from itertools import repeat
from typing import Any

import pytest

from aggregates.db import clock
from aggregates.ingest.importing import uploads
from aggregates.ingest.importing.files import UnreadableFile
from aggregates.models import FileChunk, FileImport, ImportState, Organization, User
from tests.ingest.importing.conftest import LARGEST, give
from tests.words import LONG_LINE

ROW = b"2025-03-01T10:00:00Z,gpt-5\n"
HEADER = b"timestamp,model\n"


def rows_of(imported: FileImport) -> list[Any]:
    rejected: list[Any] = []
    with uploads.opened(imported, uploads.from_table(imported), LARGEST) as file:
        rows = list(file.rows(rejected.append))
    assert not rejected
    return rows


def test_a_file_of_several_chunks_is_read_as_it_was_given(acme: Organization, alice: User) -> None:
    content = HEADER + ROW * 30_000
    imported = give(acme, alice, content)

    assert imported.size == len(content)
    assert imported.chunks.count() == -(-len(content) // uploads.CHUNK) > 1
    assert b"".join(bytes(chunk.data) for chunk in imported.chunks.order_by("number")) == content
    assert len(rows_of(imported)) == 30_000
    assert len(rows_of(give(acme, alice, gzip.compress(content)))) == 30_000


def test_a_chunk_is_read_when_it_is_its_turn(acme: Organization, alice: User) -> None:
    imported = give(acme, alice, HEADER + ROW * 30_000)
    asked: list[int] = []

    def read(number: int) -> bytes:
        asked.append(number)
        return uploads.from_table(imported)(number)

    with uploads.opened(imported, read, LARGEST) as file:
        next(file.rows(lambda rejection: None))
        assert asked == [0]


def test_gzip_data_that_holds_too_much_is_not_read_on(acme: Organization, alice: User) -> None:
    imported = give(acme, alice, gzip.compress(HEADER + ROW * 10_000))

    with (
        pytest.raises(UnreadableFile, match=r"^expected gzip data that unpacks to at most 160,000 bytes$"),
        uploads.opened(imported, uploads.from_table(imported), 10_000) as file,
    ):
        list(file.rows(lambda rejection: None))


def test_a_file_takes_the_place_of_the_users_file_before(
    acme: Organization, other: Organization, alice: User, bob: User, charlie: User
) -> None:
    of_others = [give(acme, bob, ROW), give(other, charlie, ROW)]
    failed = give(acme, alice, ROW)
    FileImport.objects.filter(pk=failed.pk).update(state=ImportState.FAILED)
    give(acme, alice, ROW)
    last = give(acme, alice, ROW)

    assert set(FileImport.objects.all()) == {*of_others, failed, last}
    assert set(FileChunk.objects.values_list("file", flat=True)) == {*(each.pk for each in of_others), last.pk}


def test_an_empty_file_is_not_kept(acme: Organization, alice: User) -> None:
    with pytest.raises(uploads.EmptyFile):
        give(acme, alice, b"")
    assert not FileImport.objects.exists()


def test_a_name_is_shortened_and_made_safe_to_show(acme: Organization, alice: User) -> None:
    imported = uploads.keep(acme, alice, "\0a\x1b[31m" + "b" * 5_000, repeat(ROW, 1))
    assert imported.name.isprintable()
    assert len(imported.name) <= 200


@pytest.mark.parametrize(
    ("state", "hours", "row", "content"),
    [
        (ImportState.READY, 23, True, True),
        (ImportState.READY, 25, False, False),
        (ImportState.QUEUED, 25, True, True),
        (ImportState.RUNNING, 25, True, True),
        (ImportState.FAILED, 23, True, True),
        (ImportState.FAILED, 25, True, False),
        (ImportState.DONE, 1, True, False),
        (ImportState.CANCELLED, 1, True, False),
        (ImportState.DONE, 24 * 91, False, False),
        (ImportState.FAILED, 24 * 91, False, False),
    ],
)
def test_what_nobody_needs_is_forgotten(
    acme: Organization, alice: User, state: ImportState, hours: int, row: bool, content: bool
) -> None:
    imported = give(acme, alice, ROW)
    then = clock.now() - timedelta(hours=hours)
    FileImport.objects.filter(pk=imported.pk).update(state=state, created_at=then, finished_at=then)

    uploads.forget(clock.now())

    assert (FileImport.objects.exists(), FileChunk.objects.exists()) == (row, content)


def test_an_object_of_a_file_of_the_page_has_a_limit(acme: Organization, alice: User) -> None:
    kept = give(acme, alice, gzip.compress(b'{\n"a": [' + b"{}," * 4_000_000 + b"{}]}"))
    with (
        pytest.raises(UnreadableFile, match=f"{LONG_LINE} of one JSON object"),
        uploads.opened(kept, uploads.from_table(kept), LARGEST) as file,
    ):
        next(file.rows(lambda rejection: None))
