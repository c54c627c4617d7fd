"""Sign-in with the identity provider of the settings: allauth asks it, accounts.sign_in decides who gets in."""

import logging
from http import HTTPStatus
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from requests import RequestException

from aggregates.accounts import attempts, sign_in
from aggregates.accounts.addresses import client_address
from aggregates.accounts.sign_in import NotAdmitted
from aggregates.web.views.identity_providers import ASKED_AGAIN, OpenIDConnect, Saml, digest, provider_of

KNOWN_FOR = 3600  # seconds for which a process keeps what the provider says of its addresses
CANCELLED = "This sign-in was cancelled, or it took too long."
NO_ANSWER = "{} does not answer as it should. Try again, or tell whoever runs this site."

logger = logging.getLogger(__name__)


class Connection(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """How the site reaches an OpenID Connect provider."""

    @property
    def openid_config(self) -> dict[str, Any]:
        key = f"openid-configuration-{digest(settings.OIDC_ISSUER)}"
        known: dict[str, Any] | None = cache.get(key)
        if known is None:
            if cache.get(f"{key}-failed"):
                raise ValueError("It was asked just now, and did not answer.")
            try:
                known = super().openid_config
            except (RequestException, KeyError, ValueError):
                cache.set(f"{key}-failed", True, ASKED_AGAIN)
                raise
            cache.set(key, known, KNOWN_FOR)
        return known


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """What allauth asks this site."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> OpenIDConnect | Saml:
        return provider_of(request, self.get_app(request, provider=provider, client_id=client_id))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Admit who it is, with an account and roles, or say why not."""
        identity = sign_in.read_identity(sociallogin.claims)
        try:
            sign_in.check_identity(identity)
            with transaction.atomic():
                if sociallogin.is_existing:
                    sign_in.check_user(sociallogin.user)
                else:
                    sociallogin.connect(request, sign_in.account_for(identity))
                sign_in.follow_roles(sociallogin.user, identity)
        except NotAdmitted as error:
            raise ImmediateHttpResponse(show(request, str(error), HTTPStatus.FORBIDDEN)) from None

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Leave a line without what the provider sent, which may be a secret."""
        logger.warning("A sign-in failed: %s", type(exception).__name__ if exception else error)
        words = CANCELLED if exception is None else _no_answer()
        raise ImmediateHttpResponse(show(request, words, HTTPStatus.UNAUTHORIZED))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False


@never_cache
@require_safe
def begin(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the provider, with what only this session can come back with."""
    if request.user.is_authenticated:
        return redirect(get_next_redirect_url(request) or "home")
    if provider_id != settings.SSO_PROVIDER:
        raise Http404
    try:
        connected = _openid_connect(request) if provider_id == "oidc" else _saml(request)
        response: HttpResponse = connected.redirect(request, "login", next_url=get_next_redirect_url(request))
    except (RequestException, KeyError, ValueError, ImportError) as error:
        return failed(request, error)
    return response


def _openid_connect(request: HttpRequest) -> OpenIDConnect:
    connection = Connection(request, "oidc")
    provider: OpenIDConnect = connection.get_provider()
    provider.get_oauth2_adapter = lambda _: connection
    return provider


def _saml(request: HttpRequest) -> Saml:
    from aggregates.web.views import saml_responses  # which needs what is installed for SAML alone

    saml_responses.connect(request)
    return saml_responses.provider_for(request)


@never_cache
@require_safe
def end(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take what an OpenID Connect provider sends back."""
    if not provider_id == settings.SSO_PROVIDER == "oidc":
        raise Http404
    try:
        connection = Connection(request, provider_id)
        attempts.admit_sign_in(client_address(request.META))
        response: HttpResponse = OAuth2CallbackView.adapter_view(connection)(request)
    except attempts.TooManyAttempts as error:
        return show(request, str(error), HTTPStatus.TOO_MANY_REQUESTS)
    except (RequestException, KeyError, ValueError) as error:
        return failed(request, error)
    return response


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("The sign-in provider did not answer as it should: %s", type(error).__name__)
    return show(request, _no_answer(), HTTPStatus.BAD_GATEWAY)


def _no_answer() -> str:
    return NO_ANSWER.format(settings.SSO_NAME[:1].upper() + settings.SSO_NAME[1:])


def show(request: HttpRequest, words: str, status: HTTPStatus) -> HttpResponse:
    return render(request, "account/not_signed_in.html", {"words": words}, status=status)
