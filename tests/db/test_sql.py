"""What statements are composed of."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from aggregates.db.sql import array

texts = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(some.one_of(some.none(), texts, some.sampled_from(["", "NULL", "{}", '"', "\\", '\\"', ",", " a "]))))
def test_any_texts_come_to_the_database_as_they_are(given: list[str | None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [array(given)])
        assert cursor.fetchone() == (given,)
