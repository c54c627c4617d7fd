"""No address or action of the admin fails on keys that no row has, whatever they are written like."""

import re
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from aggregates.models import Organization, User
from tests.admin.test_null_characters import ADDRESSES, REFUSED
from tests.lot import share

KEYS = (
    "abc",
    "1.5",
    "-1",
    "9" * 30,
    "1e5",
    "_",
    "__",
    "%2F",
    "1_000_000_000",
    "é",
    "٣٣٣٣٣٣٣٣٣",
    "1/rows/2025-03-01/0/1",
    "a b",
    "'",
    "None",
)
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
FORM = {"action": "", "index": "0", "select_across": "0", "post": "yes"}


@pytest.fixture
def visitor(client: Client, staff: User, acme: Organization) -> Client:
    client.force_login(staff)
    return client


@pytest.mark.parametrize("address", [address for address in ADDRESSES if "<" in address])
def test_in_the_path(visitor: Client, address: str) -> None:
    for key in share(KEYS, ADDRESSES.index(address), 3):
        path = re.sub("<[^>]+>", key, address)
        assert visitor.get(path).status_code in REFUSED | {403}, key
        assert visitor.post(path, FORM).status_code in REFUSED | {403}, key


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_in_actions(visitor: Client, rf: RequestFactory, model: Any) -> None:
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    request = rf.get(path)
    request.user = User.objects.get(email="staff@example.com")
    for number, action in enumerate(admin.site._registry[model].get_actions(request), MODELS.index(model)):
        for key in share(KEYS, number, 3):
            form = FORM | {"action": action, "_selected_action": ["1", key]}
            assert visitor.post(path, form).status_code in REFUSED, (action, key)


def test_a_key_that_is_none_is_refused_in_words(visitor: Client) -> None:
    form = FORM | {"action": "delete_selected", "_selected_action": "abc"}

    answer = visitor.post("/admin/aggregates/user/", form)

    assert answer.status_code == 400
    assert "Expected rows of this table" in answer.content.decode()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_in_filters(visitor: Client, model: Any) -> None:
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    names = ("organization__id__exact", "pk__in", "id", "date__year", "p", "o", "_to_field", "state", "grain")
    for name, key in share([*product(names, KEYS)], MODELS.index(model), 4):
        assert visitor.get(path, {name: key}).status_code in REFUSED | {200}, (name, key)


@pytest.mark.parametrize(
    ("table", "lookup"),
    [
        ("usagelog", {"timestamp__year": "0"}),
        ("usagelog", {"request_id__regex": "("}),
        ("usagelog", {"cost__gt": "1e99999"}),
        ("usagelog", {"cost": "NaN"}),
        ("usagelog", {"id__range": f"1,{'9' * 30}"}),
        ("user", {"last_login__year": "-1"}),
        ("user", {"email__iregex": "["}),
        ("organization", {"created_at__year": "99999"}),
        ("dailyaggregate", {"total_cost__lt": "Infinity"}),
        ("dailyaggregate", {"date__year": "2025", "date__month": "13", "date__day": "1"}),
    ],
)
def test_in_lookups(visitor: Client, table: str, lookup: dict[str, str]) -> None:
    assert visitor.get(f"/admin/aggregates/{table}/", lookup).status_code in REFUSED | {200}


@pytest.mark.parametrize("key", KEYS)
def test_in_rows_within_a_form(visitor: Client, acme: Organization, key: str) -> None:
    counts = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1", "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}
    row = {"0-id": key, "0-organization": key, "0-user": key, "0-role": key}
    form = {"slug": "acme", "name": "Acme", "time_zone": "UTC", "label_attributes": "[]"}
    inline = {f"membership_set-{name}": value for name, value in (counts | row).items()}

    answer = visitor.post(f"/admin/aggregates/organization/{acme.pk}/change/", form | inline)

    assert answer.status_code == 200
    assert b"Please correct the error" in answer.content
