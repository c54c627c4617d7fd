"""Many clients at once, and the real web server: every acknowledged call is in the log exactly once."""

import pytest

from tests.bench import sending
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
