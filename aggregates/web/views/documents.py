"""The documents of docs/, for everybody: they say nothing of what is recorded."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from aggregates.accounts.access import organizations_of
from aggregates.domain.texts import read_sought
from aggregates.models import User
from aggregates.web.pages import documents


@never_cache  # the header is the visitor's
@require_safe
def document_list(request: HttpRequest) -> HttpResponse:
    """List all documents, or what was looked for."""
    sought = read_sought(request.GET.get("q", ""))
    context = {"groups": documents.groups(), "sought": sought, "found": documents.search(sought)}
    return render(request, "aggregates/documents.html", {**context, **_header(request)})


@never_cache
@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    """Show a document of the collection, which alone is looked into: no name is ever made a path of."""
    try:
        shown = documents.collection()[name]
    except KeyError:
        raise Http404 from None
    return render(request, "aggregates/document.html", {"document": shown, **_header(request)})


def _header(request: HttpRequest) -> dict[str, object]:
    return {"organizations": organizations_of(request.user) if isinstance(request.user, User) else []}
