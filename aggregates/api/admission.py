"""Who may come in: the key that a request brings, and how often it may."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus

from django.conf import settings
from django.utils import timezone
from psycopg.sql import SQL

from aggregates.accounts import keys
from aggregates.accounts.access import NoAccess, OtherKind, key_for
from aggregates.api.problems import ApiError
from aggregates.db.prepared import preparing_cursor
from aggregates.db.sql import table, text
from aggregates.ingest.day_locks import BEING_REMOVED
from aggregates.models import ApiKey, Kind, RequestCount

COUNT = text(
    SQL(
        """
        INSERT INTO {} AS counted (api_key_id, minute, requests)
        VALUES (%s, date_trunc('minute', statement_timestamp()), 1)
        ON CONFLICT (api_key_id) DO UPDATE SET minute = excluded.minute, requests =
            CASE WHEN counted.minute = excluded.minute THEN counted.requests + 1 ELSE 1 END
        RETURNING requests, ceil(extract(epoch FROM minute + interval '1 minute' - statement_timestamp()))::int
        """
    ).format(table(RequestCount))
)


def admit(headers: Mapping[str, str], kind: Kind) -> ApiKey:
    """The key of this kind that came with a request of these headers; raises ApiError."""
    try:
        key = key_for(secret_of(headers), kind)
    except NoAccess as error:
        if kind == Kind.MANAGE and isinstance(error, OtherKind):
            said = f"The key may {_words(error.kind)}: expected one that may {_words(kind)}."
            raise ApiError(HTTPStatus.FORBIDDEN, said) from None
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            f"Expected an API key that may {_words(kind)} and is in use, as in “Authorization: Bearer usage_…”.",
            {"WWW-Authenticate": 'Bearer realm="usage"'},
        ) from None
    if key.organization.removal_asked_at:
        raise ApiError(HTTPStatus.FORBIDDEN, f"The organization {key.organization.slug} {BEING_REMOVED}.")
    _count(key)
    keys.note_use(key, timezone.now())
    return key


def _words(kind: Kind) -> str:
    return kind.label.lower()


def secret_of(headers: Mapping[str, str]) -> str:
    """What a request says its key is: as a bearer token, as Basic's password, or in X-API-Key.

    Of headers that are a plain mapping the names are in lower case, as gRPC has them.
    """
    scheme, _, value = headers.get("authorization", "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _password(value.strip())
    return headers.get("x-api-key", "").strip()


def _password(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _count(key: ApiKey) -> None:
    """Count the request within this minute; raises ApiError for those beyond the limit, which are counted, too."""
    with preparing_cursor() as cursor:
        cursor.execute(COUNT, [key.pk])
        requests, seconds_left = cursor.fetchone()
    if requests > settings.API_REQUESTS_PER_MINUTE:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"Expected at most {settings.API_REQUESTS_PER_MINUTE:,} requests a minute with a key; "
            "send more calls in each.",
            {"Retry-After": str(max(1, seconds_left))},
        )
