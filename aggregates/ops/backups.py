"""A whole database to and from a file, by PostgreSQL's own programs: those of the embedded one, or those on PATH."""

import os
import subprocess
from pathlib import Path

from django.db import connection

DUMP = ("--format=custom", "--no-owner", "--no-privileges")
RESTORE = ("--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")


class BackupError(Exception):
    """Nothing was made or changed; the text says why, for a person to read."""


def back_up(file: Path) -> None:
    """Write what is committed now to a new file, which only its owner may read, while others go on writing.

    The file is there once it is whole. Raises BackupError.
    """
    if file.exists():
        raise BackupError(f"{file} is there already; name a new file.")
    if not file.parent.is_dir():
        raise BackupError(f"There is no folder {file.parent}.")
    partial = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        _run("pg_dump", *DUMP, f"--file={partial}")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def restore(file: Path) -> None:
    """Fill an empty database from a file of `back_up`, wholly or not at all. Raises BackupError."""
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    if tables := connection.introspection.table_names():
        raise BackupError(f"The database is not empty: it has {len(tables)} tables. Restore into a new one.")
    _run("pg_restore", *RESTORE, str(file), "--dbname")  # its name comes last
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # which a dump leaves out, and autovacuum does not do for partitioned tables


def _run(program: str, *arguments: str) -> None:
    connection.ensure_connection()  # the embedded server lives as long as somebody is connected
    client = connection.client
    (psql, *rest), secrets = client.settings_to_cmd_args_env(connection.settings_dict, arguments)
    command = [str(Path(psql).with_name(program)), *rest]
    try:
        done = subprocess.run(command, env={**os.environ, **(secrets or {})}, umask=0o077, check=False)
    except FileNotFoundError:
        raise BackupError(f"There is no {program}: install the client programs of your PostgreSQL's version.") from None
    if done.returncode:
        raise BackupError(f"{program} failed, and says above why.")
