"""Null characters, which PostgreSQL's texts cannot hold: the admin's own views would fail on them."""

from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase

NULL = "\0"


class NoNullCharacters:
    """Middleware: what has one in its address or form is refused in the admin. Other forms see to that themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        found = request.resolver_match
        if found and found.app_name == "admin" and has_null(request):
            words = "Expected no null characters.\n"
            return HttpResponse(words, status=HTTPStatus.BAD_REQUEST, content_type="text/plain; charset=utf-8")
        return None


def has_null(request: HttpRequest) -> bool:
    given = chain(request.GET.lists(), request.POST.lists())
    return NULL in request.path or any(NULL in text for name, values in given for text in (name, *values))
