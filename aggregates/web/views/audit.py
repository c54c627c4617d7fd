"""An organization's audit log, for its admins."""

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render

from aggregates.accounts.access import Permission, membership_for
from aggregates.web.exports.audit import as_csv
from aggregates.web.exports.files import SentFile
from aggregates.web.forms.audit import AuditForm
from aggregates.web.pages.audit import load
from aggregates.web.views.answering import common
from aggregates.web.views.exports import CSV, file_page, refusal, takes_gzip
from aggregates.web.views.gate import PageRequest, page


@page
def audit_page(request: PageRequest, slug: str) -> HttpResponse:
    membership = membership_for(request.user, slug, Permission.AUDIT)
    organization = membership.organization
    form = AuditForm(request.GET, organization)
    filters = request.GET.copy()
    filters.pop("before", None)
    context = {
        **common(request, membership, "audit"),
        "form": form,
        "asked": form.query,
        "page": load(form.query, form.before),
        "filters": filters,
    }
    return render(request, "aggregates/audit.html", context)


@file_page
def audit_csv(request: PageRequest, slug: str) -> HttpResponseBase:
    """Write the entries of the page at the same address."""
    organization = membership_for(request.user, slug, Permission.AUDIT).organization
    form = AuditForm(request.GET, organization)
    if form.errors:
        return refusal("\n".join(f"{name}: {problem}" for name, problem in form.problems))
    headers = {"Content-Disposition": f'attachment; filename="{slug}-audit.csv"'}
    pieces = as_csv(form.query)
    return SentFile(request.user.pk, pieces, compressed=takes_gzip(request), content_type=CSV, headers=headers)
