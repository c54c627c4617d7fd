"""What all addresses that manage do around their work: admit a key as who made it, check parameters, bound the work."""

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.cache import never_cache

from aggregates.accounts.access import NoAccess, Permission, membership_of
from aggregates.accounts.addresses import client_address
from aggregates.api.endpoint import View, admitted, bounded, guarded, refusing_where_ailing
from aggregates.api.problems import ApiError
from aggregates.db.audit import Actor, acting
from aggregates.domain.formats import excerpt
from aggregates.models import ApiKey, Kind, Membership, Organization, User, Via
from aggregates.ops.allowances import FORM, Allowance, Lane

ALLOWANCE = Allowance(Lane.API, FORM, reads_bodies=True)
NO_PLACE = "The key does what its maker may, and they may not do this in the organization now."


@dataclass(frozen=True, slots=True)
class ManagingRequest:
    """An HTTP request with a key that manages, and the place of its maker, `by`, as whom it acts."""

    http: HttpRequest
    key: ApiKey
    by: Membership

    @property
    def organization(self) -> Organization:
        return self.by.organization

    @property
    def user(self) -> User:
        return self.by.user


Work = Callable[..., HttpResponse]  # of the request, and of the number in the address, if one is there


def resource(permission: Permission, *, in_one: bool = True, **methods: Work) -> View:
    """Make a view for requests with a key that manages, whose maker may do this, of what to do for each method.

    All of it is one transaction: what is refused has changed nothing. Unless it is `in_one`: what looks at many calls
    does so in a snapshot of its own.
    """

    def answer(http: HttpRequest, **place: int) -> HttpResponse:
        work = methods.get(http.method or "")
        if work is None:
            allowed = list(methods)
            raise ApiError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"Expected {' or '.join(allowed)}.", {"Allow": ", ".join(allowed)}
            )
        with refusing_where_ailing():
            key = admitted(http, Kind.MANAGE)
            with acting(lambda: _actor(http, key)), bounded() if in_one else nullcontext():
                request = ManagingRequest(http, key, _place(key, permission))
                if http.method != "GET":  # what reads knows its own
                    check_parameters(request)
                return work(request, **place)

    view = never_cache(guarded(answer, ALLOWANCE))
    view.methods = frozenset(methods)  # type: ignore[attr-defined]
    return view


def check_parameters(request: ManagingRequest, known: Collection[str] = ()) -> QueryDict:
    """Give the parameters of the address; raises ApiError where one is not known."""
    for name in sorted(set(request.http.GET) - set(known)):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"There is no parameter “{excerpt(name)}”.")
    return request.http.GET


def absent(what: str, number: int) -> ApiError:
    """Say that there is no such thing, or none that the key may see or change: nobody can tell the two apart."""
    return ApiError(HTTPStatus.NOT_FOUND, f"There is no {what} {number}, or none that the key may change.")


def conflict(error: Exception) -> ApiError:
    """Refuse what is right, and cannot be as things are."""
    return ApiError(HTTPStatus.CONFLICT, str(error))


def forbidden(detail: str) -> ApiError:
    """Refuse what the key may not do."""
    return ApiError(HTTPStatus.FORBIDDEN, detail)


def _place(key: ApiKey, permission: Permission) -> Membership:
    try:
        return membership_of(key, permission)
    except NoAccess:
        raise forbidden(NO_PLACE) from None


def _actor(http: HttpRequest, key: ApiKey) -> Actor:
    return Actor(Via.API, key.created_by_id, client_address(http.META), key.pk)
