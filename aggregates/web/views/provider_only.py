"""Where the sign-in provider is an organization's only way in, its members' sessions that began otherwise end."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from aggregates.accounts import open_sessions
from aggregates.accounts.sign_in import began_with_provider, must_use_provider
from aggregates.models import User
from aggregates.web.views.gate import way_back


class ProviderOnly:
    """Middleware behind the one that knows the user. It asks only where SSO_ONLY is set, of who has a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user if settings.SSO_ONLY and settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if not isinstance(user, User) or began_with_provider(request, user) or must_use_provider(user) is None:
            return self.get_response(request)
        if request.path == reverse("account_logout"):  # it ends in any case
            return self.get_response(request)
        open_sessions.end_current(request, user)
        wanted, is_fragment = way_back(request)
        begin = f"{reverse('sign-in', args=[settings.SSO_PROVIDER])}?{urlencode({'next': wanted})}"
        return HttpResponseClientRedirect(begin) if is_fragment else HttpResponseRedirect(begin)
