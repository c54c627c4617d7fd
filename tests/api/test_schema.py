"""What the OpenAPI document says holds for whatever a client sends that has read it, or has misread it."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, SerializationContext
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from aggregates.api.openapi.document import document
from tests.api.test_server import port

__all__ = ["port"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Rows are judged one by one, and more forms of a value are taken than are described: these checks expect otherwise.
NOT_CHECKED = [negative_data_rejection, positive_data_acceptance]
GUARDED = set[str]()  # operations that were seen to need a key: to see it once is enough, and takes two requests more
description = schemathesis.openapi.from_dict(document())


@schemathesis.serializer("application/x-protobuf", "application/x-ndjson")
def as_it_is(context: SerializationContext, value: object) -> bytes:
    """Whatever it made up: hardly ever a message."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")


@description.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_every_operation_does_as_described(case: Case, port: int, secret: str, read_secret: str) -> None:
    key = read_secret if case.method == "GET" else secret
    name = case.operation.label
    answer = case.call_and_validate(
        f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {key}"},
        excluded_checks=[*NOT_CHECKED, ignored_auth] if name in GUARDED else NOT_CHECKED,
    )
    if answer.status_code == 200:
        GUARDED.add(name)
