"""Connecting programs to an organization: a key, what to set with it, and the first call when it comes."""

import re
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.accounts.access import Permission, may, membership_for
from aggregates.accounts.forms.keys import KeyForm
from aggregates.domain.secret import Secret
from aggregates.models import ApiKey, Membership, Organization
from aggregates.query.first_call import has_usage, sample_key
from aggregates.web.pages import connecting
from aggregates.web.pages.clients import BY_NAME, CLIENTS
from aggregates.web.views.answering import common, within
from aggregates.web.views.gate import PageRequest, form_page, page

NOTHING_NEW = 204  # htmx then leaves the page as it is


@form_page
def connect(request: PageRequest, slug: str) -> HttpResponse:
    """Show how to connect, to every member who sees the whole; who may make keys makes one here."""
    if request.method != "POST":
        return show(request, membership_for(request.user, slug, Permission.SEE_WHOLE))
    membership = membership_for(request.user, slug, Permission.KEYS)
    form = KeyForm(request.POST)
    if not form.is_valid():
        return show(request, membership, form)
    try:
        key, secret = keys.create(membership.organization, form.cleaned_data["name"], request.user)
    except keys.CannotMake as error:
        form.add_error("name", str(error))
        return show(request, membership, form)
    return show(request, membership, KeyForm(), key, secret)


@page
def first_call(request: PageRequest, slug: str) -> HttpResponse:
    """Answer the page that waits: with the first call, with a button when it has waited for long, or with nothing."""
    membership = membership_for(request.user, slug, Permission.SEE_WHOLE)
    context = _waiting(membership, _key(membership.organization, request.GET.get("key", "")), request.GET)
    asked = request.GET.get("until", "")
    until = int(asked) if re.fullmatch("[0-9]{1,12}", asked) else 0
    if until and context["arrived"].call is None:
        if timezone.now().timestamp() < min(until, context["until"]):
            return HttpResponse(status=NOTHING_NEW)
        context["until"] = 0
    return render(request, "aggregates/_first_call.html", {**within(membership), **context})


def show(
    request: PageRequest,
    membership: Membership,
    form: KeyForm | None = None,
    key: ApiKey | None = None,
    secret: Secret | None = None,
) -> HttpResponse:
    """Show the page; a new secret is on it in answer to the form alone, as on the page of keys."""
    organization = membership.organization
    is_empty, sample = not has_usage(organization), sample_key(organization)
    site = request.build_absolute_uri("/")
    context: dict[str, Any] = {
        **common(request, membership, "connect"),
        "clients": connecting.clients_for(site, secret.text if secret else connecting.NO_KEY),
        "chosen": request.POST.get("client", ""),
        "form": form or KeyForm(initial={"name": "first program"}),
        "makes_keys": may(membership, Permission.KEYS),
        "made": key,
        "secret": secret,
        "is_empty": is_empty,
        "sample": sample,
    }
    if is_empty or key or sample:
        context |= _waiting(membership, key, request.POST)
    return render(request, "aggregates/connect.html", context)


def _waiting(membership: Membership, key: ApiKey | None, asked: Any) -> dict[str, Any]:
    """What the part of the page shows that waits for the first call."""
    client = BY_NAME.get(asked.get("client", ""), CLIENTS[0])
    return {
        "arrived": connecting.load(membership.organization, key, client),
        "waits_for": key,
        "client": client,
        "until": connecting.until(timezone.now()),
    }


def _key(organization: Organization, number: str) -> ApiKey | None:
    """Find the organization's key of this number; None where there is no such one."""
    if not re.fullmatch("[0-9]{1,18}", number):
        return None
    return ApiKey.objects.filter(organization=organization, pk=int(number)).first()
