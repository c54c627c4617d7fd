"""The page that makes the first account of an installation, of a superuser, from the link that the site printed."""

from http import HTTPStatus

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from aggregates.accounts import audit_events
from aggregates.accounts import first_account as links
from aggregates.accounts.forms.members import JoinForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def first_account(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for an address and a password, make the account, and lead on to the first organization."""
    try:
        links.check(token)
        form = JoinForm("", request.POST if request.method == "POST" else None)
        if not (form.is_bound and form.is_valid()):
            return render(request, "account/first.html", {"form": form})
        form.instance.is_staff = form.instance.is_superuser = True
        with links.claim(token):
            user = form.save()
            audit_events.write_account_added(user)
    except links.NotOpen:
        return render(request, "account/first.html", status=HTTPStatus.NOT_FOUND)
    login(request, user)
    return redirect("new-organization")
