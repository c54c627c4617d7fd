"""An organization's API keys, for its admins."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from aggregates.accounts import keys
from aggregates.accounts.access import Permission, membership_for, organization_for
from aggregates.accounts.forms.keys import KeyForm
from aggregates.domain.secret import Secret
from aggregates.domain.texts import shown
from aggregates.models import ApiKey, Membership
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page


@form_page
def key_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.KEYS)
    organization = membership.organization
    if request.method != "POST":
        return _show(request, membership, KeyForm())
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, membership, form)
    data = form.cleaned_data
    try:
        made = keys.create(organization, data["name"], request.user, form.chosen_kind, data["labels"], form.limits)
    except keys.CannotMake as error:
        form.add_error("name", str(error))
        return _show(request, membership, form)
    return _show(request, membership, KeyForm(), *made)


@action
def rotate_key(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.KEYS)
    try:
        return _show(request, membership, KeyForm(), *keys.rotate(membership.organization, number, request.user))
    except ApiKey.DoesNotExist:
        raise Http404 from None
    except keys.CannotMake as error:
        messages.error(request, str(error))
        return redirect("keys", slug)


@action
def revoke_key(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = organization_for(request.user, slug, Permission.KEYS)
    try:
        key = keys.revoke(organization, number)
    except ApiKey.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Revoked “{shown(key.name)}” ({key.prefix}…). Whoever still sends it is refused.")
    return redirect("keys", slug)


def _show(
    request: PageRequest,
    membership: Membership,
    form: KeyForm,
    made: ApiKey | None = None,
    secret: Secret | None = None,
) -> HttpResponse:
    """Show the page; a new secret is on it in answer to the form alone, and kept nowhere that could show it again."""
    listed = list(keys.keys_of(membership.organization))
    context = {
        **common(request, membership, "keys"),
        "form": form,
        "keys": listed,
        "rotatable": {key.pk for key in listed if keys.may_rotate(key, request.user)},
        "made": made,
        "secret": secret,
        "usage_url": request.build_absolute_uri(reverse("record-usage")),
        "members_url": request.build_absolute_uri(reverse("api-members")),
    }
    return render(request, "aggregates/keys.html", context)
