"""The dashboard in a real browser: charts are drawn from the log's numbers, and every control works."""

import re
from datetime import UTC, date, datetime, timedelta

from playwright.sync_api import expect

from aggregates.domain import ranges
from aggregates.domain.wallclock import weekday_words
from aggregates.models import Organization, User
from aggregates.query.selection import Selection
from tests.browser.conftest import (
    DRAWN,
    LOS_ANGELES,
    NAMES,
    PASSWORD,
    OpenPage,
    Watch,
    assert_charts_show,
    boxes_of,
    choose,
    expected,
    fill_in_log_in,
    log_in,
    wait_until_drawn,
)


def test_every_chart_is_drawn_from_the_numbers_of_the_log(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    assert_charts_show(page, Selection(usage, ranges.preset("30d", datetime.now(UTC), LOS_ANGELES)))

    for name, label in (("24h", "24 hours"), ("7d", "7 days"), ("90d", "90 days"), ("12m", "12 months")):
        choose(page, label)
        assert page.url.endswith(f"/o/acme/?range={name}")
        assert_charts_show(page, Selection(usage, ranges.preset(name, datetime.now(UTC), LOS_ANGELES)))


def test_the_day_of_25_hours_has_25_points(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(timezone_id="Asia/Tokyo")  # the reader's own zone shifts nothing
    log_in(page, place="/o/acme/?range=custom&from=2025-11-02&to=2025-11-02&by=operation")
    wait_until_drawn(page)
    day = date(2025, 11, 2)

    assert_charts_show(page, Selection(usage, ranges.of_days("custom", day, day, LOS_ANGELES), by="operation"))
    bars = page.locator("#chart-explore .bars .points").first.locator("path")
    assert len([box for box in boxes_of(bars) if box["width"]]) > 3
    times = page.evaluate("document.getElementById('chart-explore').figure.layout.meta.times")
    assert len(set(times)) == 25
    assert [time[-9:] for time in times[1:3]] == ["01:00 PDT", "01:00 PST"]


def test_hovering_shows_exact_values_and_breaks_no_rule(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    for name in NAMES:
        chart = page.locator(f"#chart-{name}")
        chart.scroll_into_view_if_needed()
        chart.hover()
        day, *lines = filter(None, page.locator("#bar-values").inner_text().splitlines())
        exact = chart.evaluate("chart => chart.data.flatMap((trace) => trace.customdata)")
        assert re.fullmatch(r"\w+day \d+ \w{3} 20\d\d", day)
        assert lines
        assert {line.split("\t")[1] for line in lines if not line.startswith("Total")} <= set(exact)
        assert not [line for line in lines if line.split("\t")[1] in ("$0.00", "0")]  # what adds nothing is left out


def test_controls_swap_the_content_and_back_brings_it_back(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.evaluate("window.untouched = true")
    page.evaluate("window.left = []")
    page.evaluate("addEventListener('htmx:beforeCleanupElement', ({ target }) => left.push(target.id))")
    first, _, _ = (page.locator(".view-dates").text_content() or "").partition(", until ")  # a minute that goes by

    choose(page, "7 days")
    page.locator("#by").select_option("user")
    page.wait_for_url("**/?range=7d&by=user")
    wait_until_drawn(page)
    page.locator("#table-operation").locator("xpath=../..").get_by_role("link", name="chat").click()
    page.wait_for_url("**/?range=7d&by=user&operation=chat")
    wait_until_drawn(page)
    expect(page.locator(".chip")).to_contain_text("operation chat")
    chosen = ranges.preset("7d", datetime.now(UTC), LOS_ANGELES)
    assert_charts_show(page, Selection(usage, chosen, "user", filters=(("operation", "chat"),)))

    page.locator(".chip").click()
    page.wait_for_url("**/?range=7d&by=user")
    expect(page.locator(".chip")).to_have_count(0)
    assert page.evaluate("window.untouched")  # all of that without loading a page
    assert set(page.evaluate("left")) == {"view"}  # of a thousand elements, only that is taken leave of which has them
    assert page.evaluate("sessionStorage.getItem('htmx-history-cache')") is None  # nor keeping copies of it
    page.evaluate("history.go(-4)")
    expect(page.locator(".view-dates")).to_contain_text(first)
    wait_until_drawn(page)
    assert page.url.endswith("/o/acme/")
    assert_charts_show(page, Selection(usage, ranges.preset("30d", datetime.now(UTC), LOS_ANGELES)))


def test_going_back_and_forth_in_haste_shows_what_the_address_says(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    for label in ("24 hours", "7 days", "90 days"):
        choose(page, label)
    page.evaluate("history.back(); setTimeout(() => history.back(), 60); setTimeout(() => history.forward(), 90)")

    page.wait_for_url("**/?range=7d")
    page.wait_for_timeout(2000)  # until the browser has done, or given up, what it was told to
    wait_until_drawn(page)
    (name,) = re.findall(r"range=(7d|24h)$", page.url)  # it may give up the last step, too
    expect(page.locator(f"#range-{name}")).to_be_checked()
    assert_charts_show(page, Selection(usage, ranges.preset(name, datetime.now(UTC), LOS_ANGELES)))


def test_a_page_that_is_behind_its_address_when_it_is_there_is_read_again(
    open_page: OpenPage, usage: Organization
) -> None:
    page = open_page(own=True)
    log_in(page, place="/o/acme/?range=7d")
    page.add_init_script(
        "if (sessionStorage.moves) { history.replaceState(null, '', '?range=90d'); delete sessionStorage.moves; }"
    )
    page.evaluate("sessionStorage.moves = 'yes'")
    page.reload()

    expect(page.locator("#range-90d")).to_be_checked()
    assert page.url.endswith("/o/acme/?range=90d")
    wait_until_drawn(page)
    assert_charts_show(page, Selection(usage, ranges.preset("90d", datetime.now(UTC), LOS_ANGELES)))


def test_of_two_choices_in_haste_the_second_counts(open_page: OpenPage, usage: Organization, watch: Watch) -> None:
    watch.forgiven = ("htmx:afterRequest", "htmx:sendAbort")  # htmx logs the request that it gave up for the second
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.evaluate("for (const name of ['7d', '90d']) document.getElementById(`range-${name}`).click()")

    page.wait_for_url("**/?range=90d")
    wait_until_drawn(page)
    assert_charts_show(page, Selection(usage, ranges.preset("90d", datetime.now(UTC), LOS_ANGELES)))


def test_custom_dates_appear_when_asked_for_and_errors_beside_them(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    expect(page.locator("#from")).to_be_hidden()
    choose(page, "Custom")
    expect(page.locator("#from")).to_be_visible()

    page.locator("#from").fill("2025-11-05")
    page.locator("#to").fill("2025-11-01")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/?range=custom&from=2025-11-01&to=2025-11-05")
    expect(page.locator(".remark").first).to_contain_text("The dates were swapped")
    page.locator("#to").fill("")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#problems")).to_contain_text("To: A custom range needs this date.")
    page.locator("#from").fill("2025-10-31")
    page.locator("#to").fill("2025-11-01")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/?range=custom&from=2025-10-31&to=2025-11-01")
    expect(page.locator("#problems")).to_have_count(0)
    wait_until_drawn(page)


def test_charts_have_their_room_before_they_are_drawn(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    page.route(
        "**/plotly-basic.min.js",
        lambda route: route.fulfill(body="Element.prototype.on = () => {}; var Plotly = {react() {}, purge() {}};"),
    )
    page.goto("/o/acme/")
    page.wait_for_load_state("networkidle")
    before = page.evaluate("document.querySelector('.provenance').getBoundingClientRect().top")
    page.unroute("**/plotly-basic.min.js")
    page.goto("/o/acme/")
    wait_until_drawn(page)

    assert page.evaluate("document.querySelector('.provenance').getBoundingClientRect().top") == before


def test_a_charts_numbers_are_a_table_away(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    card = page.locator(".card-calls")
    card.get_by_text("Numbers").click()

    card.locator("tbody tr").first.wait_for()  # the table is made once it is opened
    rows = [row.split("\t") for row in card.locator("tbody tr").all_inner_texts()]
    chosen = ranges.preset("30d", datetime.now(UTC), LOS_ANGELES)
    (_, ok), (_, errors) = expected(Selection(usage, chosen))["calls"]
    assert [row[0] for row in rows] == [weekday_words(chosen.first + timedelta(days=number)) for number in range(30)]
    assert [[float(value) for value in row[1:]] for row in rows] == [
        list(pair) for pair in zip(ok, errors, strict=True)
    ]


def test_readers_see_numbers_and_dates_as_they_write_them(open_page: OpenPage, usage: Organization) -> None:
    german, american = open_page(locale="de-DE"), open_page(locale="en-US")
    for page in (german, american):
        log_in(page, place="/o/acme/?range=24h")
        wait_until_drawn(page)

    for page, separators, cost, tick, hour in (
        (german, ",.", r"[\d.]+,\d\d\xa0\$", r"[\d.,]+\xa0\$", r"\d\d:00.*"),
        (american, ".,", r"\$[\d,]+\.\d\d", r"\$[\d.,]+", r"\d+\s[AP]M.*"),
    ):
        expect(page.locator(".tile-value").first).to_have_text(re.compile(f"^{cost}$"))
        assert page.evaluate("document.getElementById('chart-explore')._fullLayout.separators") == separators
        for axis, pattern in (("y", tick), ("x", hour)):
            texts = page.locator(f"#chart-explore .{axis}tick text").all_text_contents()
            assert texts
            assert [text for text in texts if not re.fullmatch(pattern, text)] == []
    expect(german.locator(".view-dates")).to_have_text(re.compile(r"\d+ \w{3} 20\d\d \d\d:00 – .*"))
    expect(american.locator(".view-dates")).to_have_text(re.compile(r"\w{3} \d+, 20\d\d, \d+:00\s[AP]M – .*"))


def test_without_javascript_everything_but_the_charts_works(open_page: OpenPage, usage: Organization) -> None:
    page = open_page(java_script_enabled=False)
    log_in(page)
    expect(page.locator(".chart-note").first).to_have_text("Charts need JavaScript. The numbers are in the tables.")
    expect(page.get_by_text("Numbers").first).to_be_hidden()
    page.get_by_label("7 days", exact=True).click()
    page.locator("#by").select_option("project")
    page.locator("noscript button").click()
    page.wait_for_url(re.compile(r"range=7d&.*by=project"))
    expect(page.locator("#range-7d")).to_be_checked()
    expect(page.locator(".groups")).to_contain_text("web")

    page.locator('[aria-labelledby="table-model"] tbody').get_by_role("link").first.click()
    expect(page.locator(".chip")).to_have_count(1)
    page.locator(".chip").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_logging_out_elsewhere_leads_to_the_log_in_page(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.context.clear_cookies()
    page.get_by_label("7 days", exact=True).click()

    page.wait_for_url("**/login/?next=/o/acme/**")
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_platform_is_drawn_for_staff(open_page: OpenPage, usage: Organization) -> None:
    staff = User.objects.create_superuser("staff@example.com", PASSWORD)
    page = open_page()
    page.goto("/platform/")
    fill_in_log_in(page, staff.email)
    page.wait_for_url("**/platform/")
    wait_until_drawn(page, 1)

    (trace,) = page.evaluate(DRAWN, "cost")
    chosen = ranges.preset("30d", datetime.now(UTC), LOS_ANGELES)
    ((_, values),) = expected(Selection(usage, chosen, by=None))["explore"]
    assert trace["y"] == trace["calculated"] == values


def test_a_row_leads_where_its_name_does(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page, place="/o/acme/?range=90d")
    wait_until_drawn(page)
    table = page.locator(".card-table", has=page.locator("#table-operation"))
    row = table.locator("tbody tr", has=page.get_by_role("link", name="chat"))
    expect(row).to_have_css("cursor", "pointer")
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    row.locator("td").nth(1).click(modifiers=["Control"])
    page.evaluate("row => getSelection().selectAllChildren(row)", row.element_handle())
    row.locator("td").nth(1).dispatch_event("click")
    others = page.locator(".card-table tr.other, .card-table tfoot tr")
    for other in others.all():
        expect(other).to_have_css("cursor", "auto")
        other.locator("td").nth(1).click()
    page.wait_for_timeout(100)
    assert asked == []

    row.locator("td").nth(1).click()
    page.wait_for_url("**/o/acme/?range=90d&operation=chat")
    wait_until_drawn(page)
    expect(page.locator(".chip")).to_contain_text("operation chat")


def test_open_numbers_stay_open_and_are_the_new_ones(open_page: OpenPage, usage: Organization) -> None:
    page = open_page()
    log_in(page)
    wait_until_drawn(page)
    page.locator(".card-calls").get_by_text("Numbers").click()
    expect(page.locator(".card-calls .chart-numbers tbody tr")).to_have_count(30)
    choose(page, "90 days")

    expect(page.locator(".card-calls .chart-numbers tbody tr")).to_have_count(90)
    expect(page.locator(".chart-numbers[open]")).to_have_count(1)
    page.locator(".card-calls").get_by_text("Numbers").click()
    choose(page, "7 days")
    expect(page.locator(".chart-numbers[open]")).to_have_count(0)
