"""The form: a page's state is read from its URL and written back; what is wrong is named, and replaced by defaults."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import QueryDict

from aggregates.domain import ranges
from aggregates.models import Organization
from aggregates.query.addresses import query_string
from aggregates.query.forms.dashboard import DashboardForm
from aggregates.query.forms.ranges import RangeForm
from aggregates.query.selection import Selection

NOW = datetime(2025, 7, 30, 12, 20, tzinfo=UTC)
ACME = Organization(pk=1, slug="acme", name="Acme", time_zone="America/Los_Angeles")
DEFAULT = Selection(ACME, ranges.preset("30d", NOW, ACME.time_zone))


def form_of(query: str) -> DashboardForm:
    return DashboardForm(QueryDict(query), organization=ACME, now=NOW)


def test_an_empty_query_is_the_last_30_days_by_model() -> None:
    form = form_of("")

    assert form.selection == DEFAULT
    assert not form.errors
    assert (DEFAULT.by, DEFAULT.filters, DEFAULT.range.length) == ("model", (), 30)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?range=24h",
        "?range=7d&by=user",
        "?range=12m",
        "?range=month&compare=before_per_day",
        "?range=last_fiscal_year",
        "?range=last_month&compare=last_quarter_per_day",
        "?compare=dates&compare_from=2025-06-01&compare_to=2025-06-17",
        "?range=custom&from=2025-07-01&to=2025-07-31",
        "?range=custom&from=2025-01-01&to=2025-03-31&by=project",
        "?model=gpt-5",
        "?operation=chat&user=",
        "?measure=tokens&by=none&bucket=week&chart=cumulative&compare=year",
        "?model=gpt-5&model=o9&not_user=&not_user=bob&hide=gpt-5&hide_other=1",
        "?measure=p95&col=cost&col=cost_per_1k&col=p95",
        "?range=90d&user=a%26b%3Dc%C3%A9+%3Cb%3E&subject=+padded+",
    ],
)
def test_a_selection_written_as_a_query_reads_back_the_same(query: str) -> None:
    form = form_of(query.removeprefix("?"))

    assert not form.errors
    assert query_string(form.selection) == query
    assert form_of(query_string(form.selection).removeprefix("?")).selection == form.selection


def test_a_filter_that_is_there_but_empty_keeps_what_is_unknown() -> None:
    assert form_of("user=").selection.filters == (("user", ""),)
    assert form_of("").selection.filters == ()


def test_custom_dates_are_both_included() -> None:
    chosen = form_of("range=custom&from=2025-03-09&to=2025-03-09").selection.range

    assert (chosen.first, chosen.last) == (date(2025, 3, 9), date(2025, 3, 9))
    assert chosen.span.end - chosen.span.start == timedelta(hours=23)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("range=5d", "range", "There is no choice “5d”."),
        ("by=colour", "by", "There is no choice “colour”."),
        ("col=cost&col=weight", "col", "There is no choice “weight”."),
        ("range=custom&to=2025-07-01", "from", "A custom range needs this date."),
        ("range=custom&from=2025-07-01", "to", "A custom range needs this date."),
        ("range=custom&from=2025-13-01&to=2025-07-01", "from", "Expected a date, YYYY-MM-DD."),
        ("range=custom&from=01.07.2025&to=2025-07-01", "from", "Expected a date, YYYY-MM-DD."),
        ("range=custom&from=2001-01-01&to=2025-07-01", "from", "A range may have at most 3,660 days."),
        ("measure=joy", "measure", "There is no choice “joy”."),
        ("bucket=year", "bucket", "There is no choice “year”."),
        ("chart=pie", "chart", "There is no choice “pie”."),
        ("compare=never", "compare", "There is no choice “never”."),
        ("add=colour&value=red", "add", "There is no choice “colour”."),
        ("&".join(f"model={number}" for number in range(101)), "model", "Expected at most 100 values."),
        (f"not_model={'x' * 257}", "not_model", "Expected at most 256 bytes of text."),
        (f"model={'x' * 257}", "model", "Expected at most 256 bytes of text."),
        ("user=a%00b", "user", "Null characters are not allowed."),
    ],
)
def test_what_is_wrong_is_named_and_the_default_view_shown(query: str, field: str, message: str) -> None:
    form = form_of(query)

    assert form.problems == [(field, message)]
    assert form.selection == DEFAULT


def test_dates_that_are_not_asked_for_are_not_looked_at() -> None:
    """The controls always send them."""
    assert form_of("range=7d&from=2025-07-02&to=2025-07-01").errors == {}


def test_controls_show_what_was_chosen_with_dates_filled_in() -> None:
    assert form_of("range=7d").display_values == {"range": "7d", "from": "2025-07-24", "to": "2025-07-30"}


def test_controls_keep_what_was_typed_beside_what_is_wrong() -> None:
    shown = form_of("range=custom&from=2025-13-01&to=2025-01-05").display_values
    swapped = form_of("range=custom&from=2025-02-01&to=2025-01-05").display_values

    assert shown == {"range": "custom", "from": "", "to": "2025-01-05"}
    assert swapped == {"range": "custom", "from": "2025-01-05", "to": "2025-02-01"}


@pytest.mark.parametrize(
    ("dates", "first", "last", "remarks"),
    [
        (
            ("2025-07-02", "2025-07-01"),
            date(2025, 7, 1),
            date(2025, 7, 2),
            ["The dates were swapped: 1 Jul 2025 comes before 2 Jul 2025."],
        ),
        (
            ("2025-07-01", "9999-12-31"),
            date(2025, 7, 1),
            date(2025, 7, 30),
            ["The days after 30 Jul 2025 are yet to come: shown is what there is so far."],
        ),
        (
            ("2025-09-01", "2025-09-30"),
            date(2025, 7, 30),
            date(2025, 7, 30),
            ["The days after 30 Jul 2025 are yet to come: shown is what there is so far."],
        ),
        (
            ("0001-01-01", "2001-07-01"),
            date(2000, 1, 1),
            date(2001, 7, 1),
            ["Usage is known from 1 Jan 2000 on."],
        ),
        (
            ("1999-01-01", "1999-12-31"),
            date(2000, 1, 1),
            date(2000, 1, 1),
            ["Usage is known from 1 Jan 2000 on."],
        ),
        (("2025-07-01", "2025-07-30"), date(2025, 7, 1), date(2025, 7, 30), []),
    ],
)
def test_what_a_range_cannot_have_is_left_out_and_said(
    dates: tuple[str, str], first: date, last: date, remarks: list[str]
) -> None:
    form = form_of("range=custom&from={}&to={}".format(*dates))

    assert form.errors == {}
    assert (form.chosen.first, form.chosen.last, form.remarks) == (first, last, remarks)
    assert form_of(query_string(form.selection).removeprefix("?")).chosen == form.chosen


def test_a_range_up_to_now_is_asked_for_by_other_names_too() -> None:
    assert query_string(form_of("range=ytd").selection) == "?range=year"
    assert form_of("range=ytd").chosen == form_of("range=year").chosen


def test_calendar_periods_are_those_of_the_organization() -> None:
    organization = Organization(time_zone="UTC", first_weekday=7, first_month=10)
    form = DashboardForm(QueryDict("range=last_fiscal_year"), organization=organization, now=NOW)

    assert (form.chosen.first, form.chosen.last) == (date(2023, 10, 1), date(2024, 9, 30))
    form = DashboardForm(QueryDict("range=week"), organization=organization, now=NOW)
    assert (form.chosen.first, form.chosen.through) == (date(2025, 7, 27), date(2025, 8, 2))


def test_filters_are_set_replaced_and_removed_and_keep_one_order() -> None:
    both = DEFAULT.with_filter("user", "bob").with_filter("model", "gpt-5")

    assert both.filters == (("model", "gpt-5"), ("user", "bob"))
    assert both.with_filter("user", "alice").filters == (("model", "gpt-5"), ("user", "alice"))
    assert both.with_filter("user", None).filters == (("model", "gpt-5"),)
    assert DEFAULT.with_filter("user", "").filters == (("user", ""),)


def test_a_filter_may_keep_several_values_and_leave_out_others() -> None:
    selection = form_of("model=gpt-5&model=o9&model=o9&not_user=bob").selection

    assert selection.filters == (("model", "gpt-5"), ("model", "o9"))
    assert selection.excluded == (("user", "bob"),)


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("add=model&value=o9", "?model=o9"),
        ("model=gpt-5&add=model&value=o9", "?model=gpt-5&model=o9"),
        ("add=not_model&value=o9", "?not_model=o9"),
        ("model=o9&add=not_model&value=o9", "?not_model=o9"),
        ("not_model=o9&add=model&value=o9", "?model=o9"),
        ("add=user&value=", "?user="),
    ],
)
def test_one_more_filter_is_put_in_its_place(query: str, written: str) -> None:
    assert query_string(form_of(query).selection) == written


def test_what_cannot_be_drawn_gives_way() -> None:
    by_hour = form_of("range=90d&bucket=hour").selection
    shares = form_of("measure=cost_per_call&chart=share").selection

    assert (by_hour.step, shares.form) == ("day", "lines")
    assert (form_of("range=7d").selection.step, form_of("bucket=hour").selection.step) == ("hour", "hour")
    assert [form_of(f"bucket={name}").selection.step for name in ("auto", "week", "month")] == ["day", "week", "month"]


def test_a_form_may_offer_fewer_ranges() -> None:
    form = RangeForm(QueryDict("range=24h"), zone="UTC", now=NOW, names=("7d", "30d", "custom"))

    assert form.problems == [("range", "There is no choice “24h”.")]
    assert form.chosen == ranges.preset("30d", NOW, "UTC")


@pytest.mark.parametrize(
    ("query", "first", "last", "remark"),
    [
        ("compare=dates&compare_from=2025-05-03&compare_to=2025-05-20", date(2025, 5, 3), date(2025, 5, 20), ""),
        ("compare=dates&compare_from=2025-05-20&compare_to=2025-05-03", date(2025, 5, 3), date(2025, 5, 20), "swapped"),
        ("compare=dates&compare_from=2025-05-20&compare_to=2025-09-01", date(2025, 5, 20), date(2025, 7, 29), "over"),
        ("compare=dates_per_day&range=last_month", date(2025, 5, 1), date(2025, 5, 31), ""),
        ("compare=last_quarter&range=month", date(2025, 4, 1), date(2025, 6, 30), ""),
    ],
)
def test_any_days_that_are_over_can_be_compared_with(query: str, first: date, last: date, remark: str) -> None:
    form = form_of(query)
    beside = form.selection.beside

    assert beside and (beside.first, beside.last) == (first, last)
    assert bool(form.remarks) == bool(remark) and remark in "".join(form.remarks)
    assert form_of(query_string(form.selection).removeprefix("?")).selection.compared == form.selection.compared


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("compare_from=2025-05-03", "compare_to"),
        ("compare_to=2025-05-03", "compare_from"),
        ("compare_from=2025-07-30&compare_to=2025-08-01", "compare_from"),  # today is not over
        ("compare_from=2001-01-01&compare_to=2025-05-03", "compare_from"),
        ("compare_from=yesterday&compare_to=2025-05-03", "compare_from"),
    ],
)
def test_other_days_to_compare_with_are_told_as_mistakes(query: str, field: str) -> None:
    assert [name for name, _ in form_of(f"compare=dates&{query}").problems] == [field]


def test_what_is_under_way_is_compared_with_as_much_time_of_any_other_days() -> None:
    chosen = form_of("range=month&compare=dates&compare_from=2025-01-06&compare_to=2025-04-01").selection

    assert chosen.compared.range.elapsed == chosen.range.elapsed
    assert chosen.compared.range.first == date(2025, 1, 6)
    assert not chosen.is_compared_by_whole_days
