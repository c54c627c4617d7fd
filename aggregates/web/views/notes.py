"""An organization's notes on days: everybody in it reads them, its admins make them."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from aggregates.accounts import day_notes
from aggregates.accounts.access import NoAccess, Permission, may, membership_for, organization_for
from aggregates.accounts.day_notes import CannotNote
from aggregates.domain.texts import shown
from aggregates.models import DayNote
from aggregates.web.forms.notes import NoteForm
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page


@form_page
def note_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.SEE_WHOLE)
    organization = membership.organization
    form = NoteForm(request.POST if request.method == "POST" else None)
    if form.is_bound and not may(membership, Permission.NOTE):
        raise NoAccess("note")
    if form.is_bound and form.is_valid():
        try:
            day_notes.add(organization, author=request.user, **form.cleaned_data)
        except CannotNote as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, "Noted: it is in the charts of that day.")
            return redirect("notes", slug)
    context = {
        **common(request, membership, "notes"),
        "form": form,
        "notes": day_notes.notes_of(organization),
    }
    return render(request, "aggregates/notes.html", context)


@action
def delete_note(request: PageRequest, slug: str, number: int) -> HttpResponse:
    organization = organization_for(request.user, slug, Permission.NOTE)
    try:
        note = day_notes.delete(organization, number)
    except DayNote.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Deleted “{shown(note.text)}”.")
    return redirect("notes", slug)
