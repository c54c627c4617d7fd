"""Django's PostgreSQL backend, which brings up the embedded server before it connects."""

import time
from collections.abc import Iterable
from typing import Any

import psycopg
from django.db.backends.postgresql import base, client

from usagesite.embedded import server


class DatabaseClient(client.DatabaseClient):
    executable_name = server.binary("psql")

    def runshell(self, parameters: Iterable[str]) -> None:
        self.connection.ensure_connection()  # psql lives on this process's lease
        super().runshell(parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Start the server where it does not run, also again after it was killed; then connect."""
        give_up = time.monotonic() + server.PATIENCE
        while True:
            self.ensure_running()
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError as error:
                if is_final(error) or time.monotonic() > give_up:
                    raise
            time.sleep(0.1)  # its keeper needs a moment to notice that it is gone

    def ensure_running(self) -> None:
        embedded = self.settings_dict["EMBEDDED"]
        try:
            server.ensure_running(server.Place(embedded["data"]), embedded["throwaway"])
        except (server.ServerError, OSError) as error:
            raise psycopg.OperationalError(f"The embedded PostgreSQL is not available. {error}") from error


def is_final(error: psycopg.OperationalError) -> bool:
    """Tell whether a running server refused, as with an unknown database, and not one that starts or ends.

    libpq hands over no SQLSTATE while connecting, so the text decides; the server writes it in English.
    """
    return "FATAL:" in str(error) and "FATAL:  the database system is " not in str(error)
