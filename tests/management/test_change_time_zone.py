"""change_time_zone cuts the days anew and rolls them up."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from aggregates.ingest import record
from aggregates.models import DailyAggregate, Organization
from tests.words import NOT_KEPT


def change(*arguments: str) -> str:
    out = StringIO()
    call_command("change_time_zone", *arguments, stdout=out)
    return out.getvalue()


def test_the_days_are_cut_anew_and_rolled_up(acme, call):
    record(acme, [call("2025-03-01T20:00Z")])

    assert change("acme", "Asia/Kolkata") == (
        "Acme now reports in Asia/Kolkata. Every page shows that already.\nRolled up 2 days, 7 rows written.\n"
    )
    assert str(DailyAggregate.objects.get().date) == "2025-03-02"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "UTC"), "There is no organization “nobody”"),
        (("acme", "Mars/Olympus"), "“Mars/Olympus” is no IANA time zone, such as Europe/Berlin or UTC."),
        (("acme", "Asia/Kolkata"), f"The time zone stays UTC: the calls of days before 2025-04-01 {NOT_KEPT}"),
    ],
)
def test_what_cannot_be_is_refused_in_words(acme, call, arguments, message):
    record(acme, [call("2025-03-01T20:00Z")])
    Organization.objects.update(log_from="2025-04-01")
    with pytest.raises(CommandError) as refused:
        change(*arguments)
    assert message in str(refused.value)
    acme.refresh_from_db()
    assert acme.time_zone == "UTC"
