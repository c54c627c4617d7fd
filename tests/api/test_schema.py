"""What the OpenAPI document says holds for whatever a client sends that has read it, or has misread it."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, SerializationContext
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from aggregates.api.openapi.document import document
from aggregates.api.openapi.managing import TAG
from tests.api.test_server import port
from tests.lot import tries_all
from tests.patience import PATIENCE

__all__ = ["port"]
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Rows are judged one by one, and more forms of a value are taken than are described: these checks expect otherwise.
NOT_CHECKED = [negative_data_rejection, positive_data_acceptance]
# The bounds of fields lead to a thousand bodies, which differ in one value: behind the first ones every so manieth.
FIRST, EVERY = 30, 1 if tries_all() else 20
met = Counter[str]()
GUARDED = set[str]()  # operations that were seen to need a key: to see it once is enough, and takes two requests more
# What manages is compared with its description wherever a test of it asks (tests/api/conftest.py).
description = schemathesis.openapi.from_dict(document()).exclude(tag=TAG)


@schemathesis.serializer("application/x-protobuf", "application/x-ndjson")
def as_it_is(context: SerializationContext, value: object) -> bytes:
    """Whatever it made up: hardly ever a message."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")


@description.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_every_operation_does_as_described(case: Case, port: int, secret: str, read_secret: str) -> None:
    key = read_secret if case.method == "GET" else secret
    name = case.operation.label
    if case.meta and case.meta.phase.name == TestPhase.COVERAGE:
        met[name] += 1
        if met[name] > FIRST and met[name] % EVERY:
            return
    answer = case.call_and_validate(
        f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {key}"},
        timeout=PATIENCE,
        excluded_checks=[*NOT_CHECKED, ignored_auth] if name in GUARDED else NOT_CHECKED,
    )
    if answer.status_code == 200:
        GUARDED.add(name)
