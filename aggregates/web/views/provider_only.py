"""Where the sign-in provider is an organization's only way in, its members' sessions that began otherwise end."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from aggregates.accounts.sign_in import began_with_provider, must_use_provider
from aggregates.models import User
from aggregates.web.views.gate import way_back


class ProviderOnly:
    """Middleware behind the one that knows the user. It asks only where OIDC_ONLY is set, of who has a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = settings.OIDC_ONLY and settings.SESSION_COOKIE_NAME in request.COOKIES
        if not (has_session and isinstance(request.user, User)) or began_with_provider(request, request.user):
            return self.get_response(request)
        if must_use_provider(request.user) is None:
            return self.get_response(request)
        logout(request)
        wanted, is_fragment = way_back(request)
        begin = f"{reverse('openid_connect_login', args=['oidc'])}?{urlencode({'next': wanted})}"
        return HttpResponseClientRedirect(begin) if is_fragment else HttpResponseRedirect(begin)
