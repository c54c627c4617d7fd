"""Views of the dashboard under names: the list, and what changes them."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from aggregates.accounts import saved_views
from aggregates.accounts.access import NoAccess, Permission, may, membership_for
from aggregates.accounts.forms.saved_views import NameForm, QueryForm, SavedViewForm
from aggregates.accounts.saved_views import CannotSave
from aggregates.domain.texts import shown
from aggregates.models import Membership
from aggregates.query.addresses import query_string
from aggregates.query.saved import parameters_of
from aggregates.query.selection import Selection
from aggregates.web.pages.saved_views import in_words, lines_of, opened
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page, page

BESIDE_NAME = ("query", "dates", "shared", "is_default")  # what a form says that is sent again under another name


@form_page
def view_list(request: PageRequest, slug: str) -> HttpResponse:
    """List the views; a form that is sent here saves another."""
    membership = membership_for(request.user, slug)
    if request.method != "POST":
        return _show(request, membership)
    if not may(membership, Permission.SAVE_VIEWS):
        raise NoAccess("view")
    form = SavedViewForm(request.POST)
    selection = form.selection_for(membership.organization, timezone.now())
    if selection is None:
        return _show(request, membership, form)
    try:
        view = saved_views.save(membership, parameters=form.parameters_of(selection), **form.saved)
    except CannotSave as error:
        form.add_error("name", str(error))
        return _show(request, membership, form, selection)
    return redirect("open-view", slug, view.pk)


@page
def open_view(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Lead to the dashboard as the view has it."""
    membership = membership_for(request.user, slug)
    view = saved_views.view_for(membership, number)
    restored = opened(view, membership, timezone.now())
    return HttpResponseRedirect(reverse("dashboard", args=[slug]) + query_string(restored.selection))


@action
def save_changes(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Let the view show what the dashboard shows now."""
    membership = membership_for(request.user, slug)
    view = saved_views.view_for(membership, number)
    form = QueryForm(request.POST)
    selection = form.selection_for(membership.organization, timezone.now())
    if selection is None:
        messages.error(request, f"“{shown(view.name)}” stays as it was. {' '.join(form.problems)}")
        return redirect("views", slug)
    saved_views.change(membership, number, parameters=parameters_of(selection))
    return redirect("open-view", slug, number)


@action
def rename_view(request: PageRequest, slug: str, number: int) -> HttpResponse:
    """Give the view another name, and say whether it opens by default."""
    membership = membership_for(request.user, slug)
    view = saved_views.view_for(membership, number)
    form = NameForm(request.POST)
    problems = form.problems
    if not problems:
        try:
            changed = saved_views.change(membership, number, **form.cleaned_data)
        except CannotSave as error:
            problems = [str(error)]
        else:
            messages.success(request, f"Saved “{shown(changed.name)}”.")
    if problems:
        messages.error(request, f"“{shown(view.name)}” stays as it was. {' '.join(problems)}")
    return redirect("views", slug)


@action
def delete_view(request: PageRequest, slug: str, number: int) -> HttpResponse:
    view = saved_views.delete(membership_for(request.user, slug), number)
    messages.success(request, f"Deleted “{shown(view.name)}”.")
    return redirect("views", slug)


def _show(
    request: PageRequest,
    membership: Membership,
    form: SavedViewForm | None = None,
    selection: Selection | None = None,
) -> HttpResponse:
    """Show the list; with the form, where what it holds could not be saved."""
    views = saved_views.views_for(membership)
    lines = lines_of(views, membership, timezone.now())
    context = {
        **common(request, membership, "views"),
        "form": form,
        "words": in_words(selection) if selection else "",
        "again": [(name, form.data[name]) for name in BESIDE_NAME if name in form.data] if form else [],
        "own": [line for line in lines if line.view.owner_id],
        "shared": [line for line in lines if not line.view.owner_id],
    }
    return render(request, "aggregates/views.html", context)
