"""Lists of things with ids, a page at a time: those beyond an id, in the order of ids."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpResponse, JsonResponse

from aggregates.api.managing.fields import Names
from aggregates.api.managing.resources import ManagingRequest, absent, check_parameters
from aggregates.api.problems import ApiError
from aggregates.query.forms.fields import PlainInteger

MAX_LIMIT = 1_000
MAX_ID = 2**63 - 1
Row = TypeVar("Row", bound=Model)


class PageForm(forms.Form):
    """Choose at most `limit` rows of a list, those whose ids are greater than `after`."""

    limit = PlainInteger(required=False, min_value=1, max_value=MAX_LIMIT)
    after = PlainInteger(required=False, min_value=0, max_value=MAX_ID)


def page_of(
    request: ManagingRequest, name: str, found: "QuerySet[Row]", as_json: Callable[[Row], dict[str, Any]]
) -> HttpResponse:
    """Answer with a page of what was found; raises ApiError for parameters that are none."""
    form = PageForm(check_parameters(request, PageForm.base_fields))
    if not form.is_valid():
        raise bad_parameters(form)
    limit = form.cleaned_data["limit"] or MAX_LIMIT
    rows = list(found.filter(pk__gt=form.cleaned_data["after"] or 0).order_by("pk")[: limit + 1])
    return JsonResponse(
        {
            "organization": request.organization.slug,
            name: [as_json(row) for row in rows[:limit]],
            "next": rows[limit - 1].pk if len(rows) > limit else None,
        }
    )


def item_of(
    request: ManagingRequest, what: str, number: int, found: "QuerySet[Row]", as_json: Callable[[Row], dict[str, Any]]
) -> HttpResponse:
    """Answer with the row of an id; raises ApiError where there is none."""
    check_parameters(request)
    row = found.filter(pk=number).first()
    if row is None:
        raise absent(what, number)
    return JsonResponse(as_json(row))


def bad_parameters(form: forms.Form, names: Names | None = None) -> ApiError:
    """Refuse parameters of the address that are not what is expected."""
    in_api = names or {}
    errors = ((in_api.get(name, name), message) for name, messages in form.errors.items() for message in messages)
    said = " ".join(f"{name}: {message}" for name, message in errors)
    return ApiError(HTTPStatus.BAD_REQUEST, said)
