"""Sign-in with the SAML provider of the settings: what it sends back, and what it gets to know of this site."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from aggregates.accounts import attempts
from aggregates.accounts.addresses import client_address
from aggregates.accounts.sessions import SessionStore
from aggregates.accounts.sign_in import NotAdmitted
from aggregates.web.views.sign_in import CANCELLED, failed, show

KEPT_FOR = 60  # seconds in which the browser has to follow from `consume` to `finish`
NOT_TAKEN = "What {} sent is not what this site takes. Try again, or tell whoever runs this site."
WORDS = {
    "UNSOLICITED": "Sign-in begins with this site’s log-in: what {} sent was not asked for.",
    "STATUS_CODE_IS_NOT_SUCCESS": CANCELLED,
}

logger = logging.getLogger(__name__)


def of_saml(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest, str], HttpResponse]:
    """Make a view that is there where the provider speaks SAML."""

    @wraps(view)
    def checked(request: HttpRequest, organization_slug: str) -> HttpResponse:
        if not organization_slug == settings.SSO_PROVIDER == "saml":
            raise Http404
        try:
            return view(request)
        except ImportError as error:  # what `manage.py check` explains
            return failed(request, error)

    return checked


@csrf_exempt
@never_cache
@require_POST
@of_saml
def consume(request: HttpRequest) -> HttpResponse:
    """Take a response. The provider's page has the browser post it, so without this site's cookies: it is kept for a
    moment, once it is known to be the provider's, and the browser is led to where its session is known."""
    from aggregates.web.views import saml_responses  # first: it says what is not installed as it has to be

    from allauth.socialaccount.providers.saml.views import acs  # isort: skip

    try:
        attempts.admit_sign_in(client_address(request.META))
        saml_responses.check(saml_responses.connect(request))
    except attempts.TooManyAttempts as error:
        return show(request, str(error), HTTPStatus.TOO_MANY_REQUESTS)
    except ValueError as error:
        return failed(request, error)
    except saml_responses.Refused as error:
        return _refused(request, str(error))
    request.saml_acs_session = store = SessionStore()  # type: ignore[attr-defined]
    store.end_in(KEPT_FOR)
    response: HttpResponse = acs(request, "saml")
    for cookie in response.cookies.values():
        cookie["httponly"] = True
    return response


@never_cache
@require_safe
@of_saml
def finish(request: HttpRequest) -> HttpResponse:
    """Sign in who began it in this session, once."""
    from aggregates.web.views import saml_responses

    try:
        saml_responses.connect(request)
    except ValueError as error:
        return failed(request, error)
    try:
        response: HttpResponse = saml_responses.Finish.as_view()(request, "saml")
    except PermissionDenied:
        return _refused(request, "NOT_BEGUN_HERE", CANCELLED)
    except NotAdmitted as error:
        return show(request, str(error), HTTPStatus.FORBIDDEN)
    return response


@require_safe
@of_saml
def metadata(request: HttpRequest) -> HttpResponse:
    """Describe this site to the provider."""
    from aggregates.web.views import saml_responses

    return HttpResponse(saml_responses.describe_site(request), content_type="application/samlmetadata+xml")


def no_log_out(request: HttpRequest, organization_slug: str) -> HttpResponse:
    raise Http404


def _refused(request: HttpRequest, reason: str, words: str = "") -> HttpResponse:
    """Leave a line with the reason alone: what was sent may be anybody's."""
    logger.warning("A sign-in failed: %s", reason)
    words = words or WORDS.get(reason, NOT_TAKEN).format(settings.SSO_NAME)
    return show(request, words, HTTPStatus.UNAUTHORIZED)
