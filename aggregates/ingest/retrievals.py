"""Retrievals of responses: they repeat the usage of a call, and are one only where nothing else tells it."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection
from psycopg import sql

from aggregates.domain.calls import Call
from aggregates.domain.providers import provider_name
from aggregates.models import Organization

BEFORE = timedelta(days=1)  # a response that is retrieved was asked for at most this long before

KNOWN = sql.SQL(
    "SELECT DISTINCT asked.number FROM unnest({numbers}::int[], {times}::timestamptz[], {providers}::text[], "
    "{models}::text[], {users}::text[], {inputs}::bigint[], {outputs}::bigint[]) "
    "AS asked (number, at, provider, model, user_id, input_tokens, output_tokens) "
    "JOIN aggregates_usagelog AS log USING (provider, model, user_id, input_tokens, output_tokens) "
    "WHERE log.organization_id = {organization} AND log.timestamp >= {first} AND log.timestamp <= {last} "
    "AND log.timestamp <= asked.at"
)


class Likeness(NamedTuple):
    """What a retrieval and the call that made the response tell alike; ids differ where a proxy wraps them."""

    provider: str
    model: str
    user_id: str
    input_tokens: int
    output_tokens: int


def likeness(call: Call) -> Likeness:
    return Likeness(provider_name(call.provider), call.model, call.user_id, call.input_tokens, call.output_tokens)


def known(organization: Organization, retrievals: Collection[Call]) -> set[int]:
    """The numbers of those whose usage the log's calls of the day before tell."""
    if not retrievals:
        return set()
    times = [call.timestamp for call in retrievals]
    likenesses = [likeness(call) for call in retrievals]
    values: dict[str, Any] = {
        "numbers": list(range(len(times))),
        "times": times,
        "providers": [one.provider for one in likenesses],
        "models": [one.model for one in likenesses],
        "users": [one.user_id for one in likenesses],
        "inputs": [one.input_tokens for one in likenesses],
        "outputs": [one.output_tokens for one in likenesses],
        "organization": organization.pk,
        "first": min(times) - BEFORE,
        "last": max(times),
    }
    statement = KNOWN.format(**{name: sql.Placeholder(name) for name in values})
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(), values)
        return {number for (number,) in cursor.fetchall()}
