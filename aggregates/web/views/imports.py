"""Importing a file on a page: give it, see what it is and comes to, say that it is to be recorded, and watch."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from aggregates.accounts.access import Permission, membership_for, organization_for
from aggregates.domain.texts import shown
from aggregates.ingest.importing import uploads
from aggregates.ingest.importing.presets import PRESETS
from aggregates.models import FileImport, ImportState, Membership, Organization
from aggregates.ops import imports
from aggregates.ops.allowances import allow
from aggregates.web.forms.imports import ImportForm, choices_for, rows_of
from aggregates.web.pages.imports import load_preview, range_of
from aggregates.web.views.answering import common
from aggregates.web.views.gate import PageRequest, action, form_page
from aggregates.web.views.uploading import UPLOADS, is_of_another_site, is_too_large

RECENT = 20  # files that are listed
SLOW = timedelta(seconds=30)  # after which a file that waits may wait for a task cluster that is off


# The size is looked at before anything of the body is read, and a token of the form is in the body.
@csrf_exempt
@allow(UPLOADS)
@form_page
def import_list(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.IMPORT)
    if request.method != "POST":
        return _show_list(request, membership)
    if is_of_another_site(request):
        raise PermissionDenied
    if is_too_large(request):
        return _show_list(request, membership, _too_large(), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    answer: HttpResponse = _receive(request, membership)
    return answer


def _too_large() -> str:
    most = imports.largest() // imports.MEGABYTE
    return f"The file is larger than {most} MB: compress it with gzip, split it, or import it on the server."


@csrf_protect
def _receive(request: PageRequest, membership: Membership) -> HttpResponse:
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        return _show_list(request, membership, "Choose a file.", HTTPStatus.BAD_REQUEST)
    if "end" not in request.POST:  # comes behind the file
        return _show_list(request, membership, "The file did not arrive whole: try again.", HTTPStatus.BAD_REQUEST)
    try:
        kept = uploads.keep(membership.organization, request.user, file.name or "", file.chunks(uploads.CHUNK))
    except uploads.EmptyFile:
        return _show_list(request, membership, "The file is empty.", HTTPStatus.BAD_REQUEST)
    return redirect("import", membership.organization.slug, kept.pk)


@form_page
def import_page(request: PageRequest, slug: str, number: int) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.IMPORT)
    imported = _find(membership.organization, number)
    if request.method == "POST":
        return _decide(request, membership, imported)
    if request.htmx:
        return render(request, "aggregates/_import_progress.html", _context(request, membership, imported))
    return _show(request, membership, imported)


@action
def cancel_import(request: PageRequest, slug: str, number: int) -> HttpResponse:
    imported = _find(organization_for(request.user, slug, Permission.IMPORT), number)
    if not imports.cancel(imported):
        messages.info(request, f"“{shown(imported.name)}” has ended already.")
        return redirect("import", slug, number)
    if imported.is_active:
        return redirect("import", slug, number)
    messages.success(request, f"“{shown(imported.name)}” is deleted. Nothing of it was recorded.")
    return redirect("imports", slug)


def _decide(request: PageRequest, membership: Membership, imported: FileImport) -> HttpResponse:
    """Keep how the file is to be read, and import it if that was said and nothing speaks against it."""
    here = redirect("import", imported.organization.slug, imported.pk)
    if not imported.may_start:
        return here
    form = ImportForm(request.POST, imported)
    if not form.is_valid():
        return _show(request, membership, imported, form.problems)
    form.save()
    if "start" not in request.POST:
        return here
    found = load_preview(imported)
    if found.problem or not found.calls:
        return here
    if found.calls.rejections and not imported.skip_rejected:
        words = "Some rows are no calls: mend the file, or choose to leave such rows out."
        return _show(request, membership, imported, [words])
    if found.is_unknown:
        imported.base, imported.paths = "", found.paths
        imported.save(update_fields=["base", "paths"])
    try:
        imports.start(imported)
    except imports.OneAtATime:
        return _show(request, membership, imported, ["Another file is being imported: try again when it is done."])
    return here


def _show(
    request: PageRequest, membership: Membership, imported: FileImport, problems: list[str] | None = None
) -> HttpResponse:
    context = _context(request, membership, imported)
    context["problems"] = problems or []
    if imported.may_start:
        found = load_preview(imported)
        context["preview"] = found
        context["choices"] = choices_for(imported)
        context["fields"] = rows_of(found.paths, imported.values)
        context["range"] = range_of(imported.organization, found.earliest, found.latest)
    return render(request, "aggregates/import.html", context)


def _context(request: PageRequest, membership: Membership, imported: FileImport) -> dict[str, Any]:
    waits_for_long = imported.queued_at is not None and timezone.now() - imported.queued_at > SLOW
    return {
        **common(request, membership, "imports"),
        "imported": imported,
        "waits_for_long": imported.state == ImportState.QUEUED and waits_for_long,
        "range": range_of(imported.organization, imported.earliest, imported.latest),
    }


def _show_list(
    request: PageRequest, membership: Membership, problem: str = "", status: int = HTTPStatus.OK
) -> HttpResponse:
    files = FileImport.objects.filter(organization=membership.organization)
    context = {
        **common(request, membership, "imports"),
        "imports": files.select_related("created_by")[:RECENT],
        "presets": PRESETS,
        "problem": problem,
        "largest": imports.largest(),
        "largest_words": f"{imports.largest() // imports.MEGABYTE} MB",
    }
    return render(request, "aggregates/imports.html", context, status=status)


def _find(organization: Organization, number: int) -> FileImport:
    try:
        return FileImport.objects.select_related("organization", "created_by").get(organization=organization, pk=number)
    except FileImport.DoesNotExist:
        raise Http404 from None
