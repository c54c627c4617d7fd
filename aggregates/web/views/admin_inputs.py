"""What the admin's own views would fail on: null characters, which PostgreSQL's texts cannot hold, and keys that are
none."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

NULL = "\0"


class AdminInputs:
    """Middleware: refuses such an address or form in the admin. Other forms see to that themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        found = request.resolver_match
        if not found or found.app_name != "admin":
            return None
        if has_null(request):
            return _refusal("Expected no null characters.")
        if has_wrong_key(request, getattr(found.func, "model_admin", None)):
            return _refusal("Expected rows of this table: the key of one that was chosen is none of its keys.")
        return None


def has_null(request: HttpRequest) -> bool:
    given = chain(request.GET.lists(), request.POST.lists())
    return NULL in request.path or any(NULL in text for name, values in given for text in (name, *values))


def has_wrong_key(request: HttpRequest, table: Any) -> bool:
    """Say whether rows are chosen for an action by what cannot be a key of their table; Django takes it as it comes."""
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if table is None or not chosen:
        return False
    try:
        for key in chosen:
            table.model._meta.pk.to_python(key)
    except ValidationError:
        return True
    return False


def _refusal(words: str) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=HTTPStatus.BAD_REQUEST, content_type="text/plain; charset=utf-8")
