"""No address of the admin fails on null characters, wherever they stand."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver

from aggregates.models import Organization, User

REFUSED = {
    301,
    302,
    400,
    404,
    405,
}  # to the list of a table, with a message, is where the admin sends for a row unknown
NAMES = ("q", "p", "o", "e", "state", "grain", "date__year", "organization__id__exact", "term", "_popup", "next", "x\0")


def patterns(found: list[Any], before: str = "/admin/") -> Iterator[str]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns, before + str(one.pattern))
        elif isinstance(one, URLPattern):
            yield before + str(one.pattern).removesuffix("$")


ADDRESSES = sorted({address for address in patterns(admin.site.urls[0]) if "?P" not in address})


@pytest.fixture
def visitor(client: Client, staff: User, acme: Organization) -> Client:
    client.force_login(staff)
    return client


@pytest.mark.parametrize("address", [address for address in ADDRESSES if "<" in address])
def test_in_the_path(visitor: Client, address: str) -> None:
    for text in ("%00", "1%00", "a%00b"):
        assert visitor.get(re.sub("<[^>]+>", text, address)).status_code in REFUSED, text


@pytest.mark.parametrize("address", ADDRESSES)
def test_in_the_query_and_in_a_form(visitor: Client, address: str) -> None:
    path = re.sub("<[^>]+>", "1", address)
    for name in NAMES:
        assert visitor.get(path, {name: "a\0"}).status_code in REFUSED, name
    assert visitor.post(path, {"_selected_action": "\0", "action": "roll_up_again", "index": 0}).status_code in REFUSED
    assert visitor.post(path, {"\0": "1"}).status_code in REFUSED
