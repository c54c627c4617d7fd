"""What a page shows, kept and read again."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import QueryDict

from aggregates.models import Organization
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.saved import parameters_of, restore, with_dates
from aggregates.query.selection import Selection

NOW = datetime(2025, 7, 15, 12, 30, tzinfo=UTC)
QUERIES = (
    "",
    "range=24h",
    "range=7d&by=user&measure=tokens",
    "range=custom&from=2025-01-01&to=2025-03-31&by=none&bucket=month&chart=lines&compare=year",
    "model=gpt-5&model=&not_user=alice%40example.com&not_user=bob&hide=gpt-5&hide=&hide_other=1",
    "user=%3Cscript%3E&project=a%26b%3Dc&measure=cost_per_call",
)


@pytest.fixture
def berlin() -> Organization:
    return Organization(pk=1, slug="acme", name="Acme", time_zone="Europe/Berlin")


def selected(query: str, organization: Organization) -> Selection:
    form = DashboardForm(QueryDict(query), organization=organization, now=NOW)
    assert not form.errors
    return form.selection


@pytest.mark.parametrize("query", QUERIES)
def test_what_was_kept_is_read_again(query: str, berlin: Organization) -> None:
    selection = selected(query, berlin)

    restored = restore(parameters_of(selection), berlin, NOW)

    assert (restored.selection, restored.left_out) == (selection, ())
    assert parameters_of(restored.selection) == parameters_of(selection)


def test_filters_that_are_too_long_for_an_address_are_kept_themselves(berlin: Organization) -> None:
    users = [f"{number:03}/" + "é" * 120 for number in range(150)]
    selection = selected("range=7d", berlin).excluding("user", users).with_filter("model", "gpt-5")

    parameters = parameters_of(selection)
    restored = restore(parameters, berlin, NOW)

    assert "set" not in parameters
    assert (restored.selection, restored.left_out) == (selection, ())


def test_a_range_moves_on_or_keeps_its_dates(berlin: Organization) -> None:
    selection, later = selected("range=7d", berlin), NOW + timedelta(days=10)

    moving = restore(parameters_of(selection), berlin, later).selection.range
    fixed = restore(parameters_of(with_dates(selection)), berlin, later).selection.range

    assert (moving.first, moving.last) == (date(2025, 7, 19), date(2025, 7, 25))
    assert (fixed.name, fixed.first, fixed.last) == ("custom", date(2025, 7, 9), date(2025, 7, 15))


def test_what_is_by_default_is_kept_in_words(berlin: Organization) -> None:
    assert parameters_of(selected("", berlin)) == {
        "range": ["30d"],
        "measure": ["cost"],
        "by": ["model"],
        "subgroup": ["none"],
        "top": ["8"],
        "bucket": ["auto"],
        "chart": ["bars"],
    }


@pytest.mark.parametrize(
    ("wrong", "left_out"),
    [
        ({"by": ["planet"]}, ("by",)),
        ({"planet": ["mars"], "not_moon": ["io"]}, ("planet", "not_moon")),
        ({"range": ["fortnight"]}, ("range",)),
        ({"range": ["custom"], "from": ["2025-02-30"], "to": ["2025-03-01"]}, ("range", "from", "to")),
        ({"user": ["x" * 300]}, ("user",)),
        ({"add": ["model"], "value": ["gpt-5"], "view": ["3"]}, ("add", "value", "view")),
        ({"add": ["user"], "pick": ["alice"], "listed": ["1"]}, ("add", "pick", "listed")),
    ],
)
def test_what_is_no_longer_valid_is_left_out(
    wrong: dict[str, list[str]], left_out: tuple[str, ...], berlin: Organization
) -> None:
    right = {"measure": ["tokens"], "model": ["gpt-5"]}

    restored = restore({**right, **wrong}, berlin, NOW)

    assert restored.left_out == left_out
    assert restored.selection == selected("measure=tokens&model=gpt-5", berlin)


def test_the_view_itself_is_no_part_of_what_is_kept(berlin: Organization) -> None:
    selection = selected("range=7d&view=12", berlin)

    assert selection.view == 12
    assert parameters_of(selection) == parameters_of(replace(selection, view=None))


@pytest.mark.parametrize("number", ["", "-1", "1.0", "x", "٣", "9" * 19, "0x1"])
def test_what_is_no_number_of_a_view_counts_as_none(number: str, berlin: Organization) -> None:
    assert selected(f"view={number}", berlin).view is None
