"""/api/v1/repricings and /api/v1/past-calls: past calls priced anew by the task cluster, and what that would change."""

from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse

from aggregates.accounts.access import Permission
from aggregates.api.managing.fields import TEXT, body_of, check, with_form_names
from aggregates.api.managing.lists import bad_parameters, item_of, page_of
from aggregates.api.managing.resources import ManagingRequest, absent, check_parameters, conflict, resource
from aggregates.models import Repricing
from aggregates.ops import repricings
from aggregates.ops.past_calls import past_calls
from aggregates.pricing.forms.prices import PastForm

FIELDS = {"model": TEXT, "from": TEXT, "to": TEXT}
NAMES = {"first": "from", "last": "to"}
NUMBERS = ("expected", "rows", "calls", "unpriced_before", "unpriced_after", "restored")


def preview(request: ManagingRequest) -> HttpResponse:
    """Tell what pricing past calls of some models anew would change, as far as it may be looked at."""
    form = PastForm(with_form_names(check_parameters(request, FIELDS).dict(), NAMES))
    if not form.is_valid():
        raise bad_parameters(form, NAMES)
    found = past_calls(request.organization, *form.criteria)
    change = found.change
    return JsonResponse(
        {
            "matching": found.calls,
            "calls": change.calls,
            "before": _cost(change.before),
            "after": _cost(change.after),
            "unpriced_before": change.unpriced_before,
            "unpriced_after": change.unpriced_after,
            "is_whole": found.is_whole,
            "problem": found.problem or None,
        }
    )


def list_repricings(request: ManagingRequest) -> HttpResponse:
    return page_of(request, "repricings", _repricings_of(request), as_json)


def read_repricing(request: ManagingRequest, number: int) -> HttpResponse:
    return item_of(request, "repricing", number, _repricings_of(request), as_json)


def reprice(request: ManagingRequest) -> HttpResponse:
    """Have past calls of some models priced anew."""
    form = PastForm(with_form_names(body_of(request.http, FIELDS), NAMES))
    check(form, NAMES)
    expected = past_calls(request.organization, *form.criteria).calls
    try:
        made = repricings.request(request.organization, request.user, *form.criteria, expected=expected)
    except repricings.OneAtATime as error:
        raise conflict(error) from None
    made.refresh_from_db()
    return JsonResponse(as_json(made), status=HTTPStatus.CREATED)


def undo(request: ManagingRequest, number: int) -> HttpResponse:
    """Have what the calls cost before put back."""
    found = _repricings_of(request).filter(pk=number).first()
    if found is None:
        raise absent("repricing", number)
    try:
        if not repricings.request_undo(found, request.user):
            raise conflict(ValueError("It can no longer be undone: it is not done, was undone, or is too old."))
    except repricings.OneAtATime as error:
        raise conflict(error) from None
    return JsonResponse(as_json(_repricings_of(request).get(pk=number)))


def as_json(repricing: Repricing) -> dict[str, Any]:
    makers = {"created_by": repricing.created_by, "undone_by": repricing.undone_by}
    return {
        "id": repricing.pk,
        "model": repricing.pattern,
        "from": repricing.first.isoformat() if repricing.first else None,
        "to": repricing.last.isoformat() if repricing.last else None,
        "state": repricing.state,
        "is_undo": repricing.is_undo,
        **{name: getattr(repricing, name) for name in NUMBERS},
        "before": _cost(repricing.before),
        "after": _cost(repricing.after),
        "problem": repricing.problem or None,
        "created_at": repricing.created_at,
        "finished_at": repricing.finished_at,
        **{name: user.email if user else None for name, user in makers.items()},
    }


def _repricings_of(request: ManagingRequest) -> QuerySet[Repricing]:
    found = Repricing.objects.filter(organization=request.organization)
    return found.select_related("created_by", "undone_by")


def _cost(amount: Decimal) -> str:
    return f"{amount:f}"


past = resource(Permission.PRICES, in_one=False, GET=preview)
repricing_list = resource(Permission.PRICES, in_one=False, GET=list_repricings, POST=reprice)
repricing = resource(Permission.PRICES, GET=read_repricing)
undoing = resource(Permission.PRICES, POST=undo)
