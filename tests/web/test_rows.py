"""Cells of long tables, which no template escapes."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aggregates.domain.dimensions import BY_NAME
from aggregates.domain.measures import Sums
from aggregates.domain.ranges import of_days
from aggregates.models import Organization, UsageLog
from aggregates.query.selection import CALL_COLUMNS, CallSelection
from aggregates.templatetags.rows import amounts, call_cells, group_numbers, numbers, table_lines
from aggregates.web.pages.calls import Calls, Line
from aggregates.web.pages.calls import Cell as CallCell
from aggregates.web.pages.columns import Cell
from aggregates.web.pages.compared import Compared
from aggregates.web.pages.groups import Line as GroupLine
from aggregates.web.pages.tables import Line as TableLine
from aggregates.web.pages.tables import Table
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


def a_table(*keys: str | None, parts: tuple[str | None, ...] = ()) -> Table:
    def line(key: str | None, parts: tuple[str | None, ...] = ()) -> TableLine:
        return TableLine(key, Sums(calls=1), None, (), tuple(line(part) for part in parts))

    lines = tuple(line(key, parts if key is not None else ()) for key in keys)
    return Table(BY_NAME["model"], lines, line(None), "cost", "cost", (), BY_NAME["user"] if parts else None)


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("parts", [(), (BAD, None)])
def test_names_are_escaped_as_links_and_without(
    selection: CallSelection, has_links: bool, parts: tuple[str | None, ...]
) -> None:
    written = table_lines(selection, a_table(BAD, None, parts=parts), has_links=has_links)
    assert "<b>" not in written
    assert BAD not in written
    assert written.count("<a ") == has_links
    assert written.count(SAFE) == (3 if has_links else 1) + (2 if parts else 0)
    assert written.count(" hidden>") == written.count("<button") == bool(parts)


def test_others_have_no_link(selection: CallSelection) -> None:
    written = table_lines(selection, a_table(None), has_links=True)
    assert '<th scope="row"><i class="ours">Other</i></th>' in written
    assert written.startswith('<tr class="other">')


def test_a_group_whose_subgroups_are_not_there_links_to_them(selection: CallSelection) -> None:
    table = replace(a_table("", None), subgroup=BY_NAME["user"])
    assert "data-parts" not in table_lines(selection, table)
    written = table_lines(selection, table, has_links=True)
    assert written.count("data-parts") == 1
    assert '<span class="hidden">Users of (not set)</span>' in written


def test_every_column_of_the_list_of_calls_is_escaped(selection: CallSelection) -> None:
    call = UsageLog(pk=7, kind="call", status="ok", input_tokens=1_234, output_tokens=5)
    cells = tuple(CallCell(name, BAD, BAD if name == "cost" else "", name == "model") for name in CALL_COLUMNS)
    written = call_cells(Calls(selection, selection.span), Line(call, BAD, BAD, cells, ""), "/calls/", "?a=1&b=2")
    assert "<b>" not in written
    assert written.count('href="/calls/7/?a=1&amp;b=2"') == 2  # of its time, and its cost
    assert written.count(SAFE) == len(CALL_COLUMNS) + 3
    assert "1,234 → 5" in written
