"""Cells of long tables, which no template escapes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aggregates.domain.measures import Sums
from aggregates.domain.ranges import of_days
from aggregates.models import Organization, UsageLog
from aggregates.query.selection import CALL_COLUMNS, CallSelection
from aggregates.templatetags.rows import amounts, call_cells, group_numbers, numbers, row_name
from aggregates.web.pages.calls import Calls, Line
from aggregates.web.pages.calls import Cell as CallCell
from aggregates.web.pages.columns import Cell
from aggregates.web.pages.compared import Compared
from aggregates.web.pages.groups import Line as GroupLine
from aggregates.web.pages.tables import Line as TableLine
from aggregates.web.pages.tiles import Change

BAD, SAFE = "<b>\"&'", "&lt;b&gt;&quot;&amp;&#x27;"
DAY = datetime(2025, 7, 1, tzinfo=UTC)


@pytest.fixture
def selection() -> CallSelection:
    acme = Organization(slug="acme", name="Acme", time_zone="UTC")
    return CallSelection(acme, of_days("custom", DAY.date(), DAY.date(), "UTC"))


def test_what_stands_in_tables_is_escaped() -> None:
    cells = (Cell("cost", BAD, BAD), Cell("change", BAD, BAD))
    of_group = GroupLine("key", Sums(), Decimal(50), cells, Change("up", BAD, "bad"))
    written = [
        numbers(TableLine("key", Sums(), Decimal(50), cells)),
        group_numbers(of_group),
        amounts(Compared(Decimal(1), Decimal(2), Decimal(1), write=lambda _: BAD)),
    ]
    assert [each.count("<b>") for each in written] == [0, 0, 0]
    assert [each.count(SAFE) for each in written] == [4, 5, 3]
    assert f'<span class="change tone-bad">+{SAFE}</span>' in written[1]


@pytest.mark.parametrize("is_link", [True, False])
def test_a_name_is_escaped_as_a_link_and_without(selection: CallSelection, is_link: bool) -> None:
    written = row_name(selection, "model", BAD, is_link=is_link)
    assert "<b>" not in written
    assert written.count(SAFE) == (2 if is_link else 1)
    assert written.startswith("<a href=" if is_link else "<bdi>")


def test_others_have_no_link(selection: CallSelection) -> None:
    assert row_name(selection, "model", None, is_link=True) == '<i class="ours">Other</i>'


def test_every_column_of_the_list_of_calls_is_escaped(selection: CallSelection) -> None:
    call = UsageLog(pk=7, kind="call", status="ok", input_tokens=1_234, output_tokens=5)
    cells = tuple(CallCell(name, BAD, BAD if name == "cost" else "", name == "model") for name in CALL_COLUMNS)
    written = call_cells(Calls(selection, selection.span), Line(call, BAD, BAD, cells, ""), "/calls/", "?a=1&b=2")
    assert "<b>" not in written
    assert written.count('href="/calls/7/?a=1&amp;b=2"') == 2  # of its time, and its cost
    assert written.count(SAFE) == len(CALL_COLUMNS) + 3
    assert "1,234 → 5" in written
