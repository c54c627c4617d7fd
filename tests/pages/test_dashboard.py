"""The dashboard's data as a whole."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from aggregates import ranges
from aggregates.models import Organization
from aggregates.pages import dashboard
from aggregates.selection import Selection


def test_a_question_that_takes_too_long_is_given_up_and_said_so(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "FROM aggregates_usagelog" in sql:
            execute("SELECT pg_sleep(30)", None, many, context)
        return execute(sql, params, many, context)

    monkeypatch.setattr(dashboard, "PATIENCE", 1)
    week = Selection(acme, ranges.preset("7d", datetime.now(UTC), acme.time_zone))
    with connection.execute_wrapper(slowly):
        loaded = dashboard.load(week)
    assert loaded.refusal == (
        "Adding this up from the log takes more than 1 second: ask for fewer days, or for less at once."
    )
    assert not loaded.tables
