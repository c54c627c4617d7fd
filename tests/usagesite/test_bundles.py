import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from aggregates.domain.calls import Call
from aggregates.ingest import record
from aggregates.models import Organization, User
from usagesite.bundles import BUNDLES

ASKED = re.compile(r'<(?:link rel="stylesheet"|script)[^>]* (?:href|src)="/static/([^"]+)"')
PARTS = [part for parts in BUNDLES.values() for part in parts]


def source(path: str) -> bytes:
    found = finders.find(path)
    assert found
    return Path(found).read_bytes()


@pytest.mark.parametrize("path", BUNDLES)
def test_a_bundle_is_its_parts_in_their_order(path: str) -> None:
    assert source(path) == b"\n".join(map(source, BUNDLES[path]))


def test_a_part_that_has_changed_is_in_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source("aggregates/site.js")
    monkeypatch.setitem(BUNDLES, "aggregates/site.js", [*BUNDLES["aggregates/site.js"], "aggregates/js/rows.js"])
    assert source("aggregates/site.js") == before + b"\n" + source("aggregates/js/rows.js")


def test_a_part_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUNDLES, "aggregates/site.js", ["plotly/none.js"])
    with pytest.raises(FileNotFoundError, match=r"^plotly/none\.js is not there: `make install` brings it\.$"):
        source("aggregates/site.js")


def test_every_bundle_is_collected_under_its_own_name(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", interactive=False, verbosity=0)
    assert {path: (tmp_path / path).read_bytes() for path in BUNDLES} == {path: source(path) for path in BUNDLES}


def test_a_page_asks_for_few_files_and_for_none_twice(
    acme: Organization, alice: User, client: Client, call: Callable[..., Call]
) -> None:
    record(acme, [call("2025-03-01T12:00Z")])
    client.force_login(alice)
    asked = ASKED.findall(client.get(f"/o/{acme.slug}/").text)
    assert set(BUNDLES) <= set(asked)
    assert len(asked) == len(set(asked)) <= 8
    assert not set(asked).intersection(PARTS)
