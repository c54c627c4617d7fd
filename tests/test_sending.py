"""What the bench measures is done right: whatever is sent or imported is in the log exactly once."""

from pathlib import Path

import pytest

from aggregates.models import UsageLog
from tests.bench import busy_day, sending, sending_spans
from tests.fixtures import make_organization


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_all_that_is_acknowledged_is_in_the_log_once() -> None:
    organization = make_organization("acme")
    sent = sending.send(organization, 9_500)

    assert sent.accepted == 9_500
    assert sent.pages
    sending.check(organization, sent)
    assert sending.seconds_of_plain_sql(organization) > 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_spans_and_plain_usage_are_the_same_calls() -> None:
    few, many = sending_spans.lines(calls=1_000, rounds=2)

    assert few.what.startswith("6 requests of 3 calls as 9 spans over 6 connections, ")
    assert many.what.startswith("6 requests of 170 calls as 510 spans over 6 connections, ")
    assert UsageLog.objects.count() == 2 * 12 * (3 + 170)
    told = ("timestamp", "model", "operation", "provider", "user_id", "project", "input_tokens", "reasoning_tokens")
    spans, plain = (
        set(UsageLog.objects.filter(organization__slug=slug).values_list(*told)) for slug in ("0-170", "1-170")
    )
    assert spans == plain


@pytest.mark.django_db
def test_a_days_file_is_in_the_log_once(tmp_path: Path) -> None:
    organization = make_organization("acme")
    busy_day.write_file(tmp_path / "calls.csv", 300)
    busy_day.import_file(tmp_path / "calls.csv", organization)

    assert UsageLog.objects.filter(organization=organization).count() == 300
