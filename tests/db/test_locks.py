"""Locks that are held for a while."""

import pytest
from django.db import OperationalError, connection, transaction

from aggregates.db.locks import Lock, held_for
from tests.patience import PATIENCE
from tests.threads import in_a_thread


def end(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_a_connection_that_is_lost_while_a_lock_is_held_is_told_as_such(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    try:
        with pytest.raises(OperationalError), transaction.atomic(), held_for("3s", Lock.DAY, 1):
            in_a_thread(lambda: end(backend)).join(PATIENCE)
    finally:
        connection.close()
