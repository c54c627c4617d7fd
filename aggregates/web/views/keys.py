"""An organization's API keys, for its admins."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from aggregates.accounts import keys
from aggregates.accounts.access import administered_by, organizations_of
from aggregates.domain.secret import Secret
from aggregates.domain.texts import shown
from aggregates.models import ApiKey, Organization
from aggregates.web.forms.keys import KeyForm
from aggregates.web.views.gate import PageRequest, action, form_page


@form_page
def key_list(request: PageRequest, slug: str) -> HttpResponse:
    organization = administered_by(request.user, slug)
    if request.method != "POST":
        return _show(request, organization, KeyForm())
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, organization, form)
    made = keys.create(
        organization, form.cleaned_data["name"], request.user, form.chosen_kind, form.cleaned_data["labels"]
    )
    return _show(request, organization, KeyForm(), *made)


@action
def rotate_key(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = administered_by(request.user, slug)
    try:
        return _show(request, organization, KeyForm(), *keys.rotate(organization, number, request.user))
    except ApiKey.DoesNotExist:
        raise Http404 from None


@action
def revoke_key(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = administered_by(request.user, slug)
    try:
        key = keys.revoke(organization, number)
    except ApiKey.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Revoked “{shown(key.name)}” ({key.prefix}…). Whoever still sends it is refused.")
    return redirect("keys", slug)


def _show(
    request: PageRequest,
    organization: Organization,
    form: KeyForm,
    made: ApiKey | None = None,
    secret: Secret | None = None,
) -> HttpResponse:
    """Show the page; a new secret is on it in answer to the form alone, and kept nowhere that could show it again."""
    context = {
        "organization": organization,
        "organizations": organizations_of(request.user),
        "manages": True,
        "form": form,
        "keys": keys.keys_of(organization),
        "now": timezone.now(),
        "made": made,
        "secret": secret,
        "usage_url": request.build_absolute_uri(reverse("record-usage")),
    }
    return render(request, "aggregates/keys.html", context)
