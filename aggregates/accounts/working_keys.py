"""The API key that a request brings, read at once with its organization: by far the most frequent question there is."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

from aggregates.db.prepared import preparing_cursor
from aggregates.models import ApiKey, Organization
from aggregates.models.api_key import WORKING

Of = TypeVar("Of", bound=Model)


def working_key(digest: str) -> ApiKey | None:
    """Find the key with this digest of its secret, and its organization; None where there is none that works."""
    with preparing_cursor() as cursor:
        cursor.execute(_statement(), [digest])
        found = cursor.fetchone()
    if found is None:
        return None
    key = _made(ApiKey, found)
    key.organization = _made(Organization, found[len(ApiKey._meta.concrete_fields) :])
    return key


@cache
def _statement() -> str:
    """Write the ORM's statement down: to put it together takes longer than all else of a small request."""
    wanted = ApiKey.objects.filter(WORKING, secret_hash="").select_related("organization").order_by()
    statement, _ = wanted.query.sql_with_params()  # with one parameter, the digest
    return str(statement)


def _made(model: type[Of], values: Sequence[Any]) -> Of:
    """Make an instance of the first of these values, in the order of the model's columns."""
    fields = model._meta.concrete_fields
    read = [
        field.from_db_value(value, None, connection) if hasattr(field, "from_db_value") else value
        for field, value in zip(fields, values, strict=False)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], read)
