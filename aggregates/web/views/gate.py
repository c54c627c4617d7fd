"""The one place where a page's visitor is checked, and where having no access becomes a 404."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from aggregates.accounts.access import NoAccess, current_slug
from aggregates.domain import locales
from aggregates.models import User

View = Callable[..., HttpResponseBase]


class PageRequest(HttpRequest):
    """A request as pages get it: from somebody who is logged in."""

    user: User
    htmx: HtmxDetails


def page(view: View) -> View:
    """Make a page for people who are logged in. It is never kept in a cache: its numbers are those of now."""
    return require_safe(_checked(view))


def form_page(view: View) -> View:
    """Make a page with a form that is sent to its own address."""
    return require_http_methods(["GET", "HEAD", "POST"])(_checked(view))


def action(view: View) -> View:
    """Make an action that a form sets off; it is no page by itself."""
    return require_POST(_checked(view))


def _checked(view: View) -> View:
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_login(request)
        try:
            with locales.read_by(request.headers.get("Accept-Language", "")):
                return view(request, *args, **kwargs)
        except NoAccess:
            return _to_current_slug(request)

    return never_cache(vary_on_headers("HX-Request", "Accept-Language")(checked))


def _to_current_slug(request: HttpRequest) -> HttpResponse:
    """Lead on, also what a form sent, where the organization of the address is called otherwise by now."""
    match = request.resolver_match
    slug = match.kwargs.get("slug") if match else None
    current = current_slug(request.user, slug) if slug and isinstance(request.user, User) else None
    if match is None or current is None:
        raise Http404 from None
    address = reverse(match.view_name, args=match.args, kwargs={**match.kwargs, "slug": current})
    query = request.META["QUERY_STRING"]
    return HttpResponseRedirect(f"{address}?{query}" if query else address, preserve_request=True)


def way_back(request: HttpRequest) -> tuple[str, bool]:
    """Give the address of the page to come back to after a log-in, and say whether htmx asks, which has to take the
    whole page there: a log-in form within the dashboard would be of no use.

    What only suggests values is no page, and what a form is sent to need not be: then it is the page that asks.
    """
    htmx = HtmxDetails(request)
    wanted = request.get_full_path()
    if htmx and not htmx.boosted:
        wanted = htmx.current_url_abs_path or wanted
    elif request.method == "POST":
        wanted = asking_page(request) or wanted
    return wanted, bool(htmx)


def asking_page(request: HttpRequest) -> str:
    """Return the address of the page of this site that a form was sent from, or a link followed; "" where the browser
    does not say."""
    asking = urlsplit(request.headers.get("Referer", ""))
    if asking.netloc != request.get_host() or not asking.path.startswith("/"):
        return ""
    return urlunsplit(("", "", asking.path, asking.query, ""))


def _to_login(request: HttpRequest) -> HttpResponse:
    wanted, is_fragment = way_back(request)
    response = redirect_to_login(wanted)
    return HttpResponseClientRedirect(response.url) if is_fragment else response
