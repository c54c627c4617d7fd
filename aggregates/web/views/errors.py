"""What is shown where something failed, with the request's id, which leads to its line in the log; or a form is old."""

import sys

from allauth.account.utils import get_next_redirect_url
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views import csrf
from django.views.decorators.csrf import requires_csrf_token

from aggregates.ops.requests import current_id, forget_failure
from aggregates.web.views.time_limits import unavailable

# How reasons of Django's begin where there is a cookie, and the form has another token or none.
OF_A_FORM = "CSRF token"


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Render without the request: who is logged in would be asked of the database, which may be what failed.

    Django calls this while it handles the error. Where it is the database's, as of middleware that writes a session,
    nothing of ours failed.
    """
    error = sys.exception()
    if error and (response := unavailable(error)):
        forget_failure()
        return response
    return HttpResponseServerError(render_to_string("500.html", {"request_id": current_id()}))


def wrong_token(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form whose token is not its visitor's. But lead on who sends a form to log in that a log-in in another
    tab has made old: to where they wanted to, or, if they are logged out again, to the form with a token of now."""
    if request.path != reverse("account_login") or not reason.startswith(OF_A_FORM):
        refused: HttpResponse = csrf.csrf_failure(request, reason)
        return refused
    if request.user.is_authenticated:
        return redirect(get_next_redirect_url(request) or "home")
    messages.info(request, "This form was no longer valid. Log in again.")
    return redirect(request.get_full_path())
