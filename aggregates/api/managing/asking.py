"""What all addresses that manage do around their work: admit a key as the member who made it, and bound the work."""

from collections.abc import Callable, Collection
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
class Asked:
    """A request with a key that manages, and the place of its maker, `by`, as whom it acts."""

    request: HttpRequest
    key: ApiKey
    by: Membership

    @property
    def organization(self) -> Organization:
        return self.by.organization

    @property
    def user(self) -> User:
        return self.by.user


Work = Callable[..., HttpResponse]  # of what is asked, and of the number in the address, if one is there


def resource(permission: Permission, **methods: Work) -> View:
    """A view for requests with a key that manages, whose maker may do this, with what to do for each method.

    All of it is one transaction: what is refused has changed nothing.
    """

    def answer(request: HttpRequest, **place: int) -> HttpResponse:
        work = methods.get(request.method or "")
        if work is None:
            allowed = list(methods)
            raise ApiError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"Expected {' or '.join(allowed)}.", {"Allow": ", ".join(allowed)}
            )
        with refusing_where_ailing():
            key = admitted(request, Kind.MANAGE)
            with acting(lambda: _actor(request, key)), bounded():
                asked = Asked(request, key, _place(key, permission))
                if request.method != "GET":  # what reads knows its own
                    check_parameters(asked)
                return work(asked, **place)

    view = never_cache(guarded(answer, ALLOWANCE))
    view.methods = frozenset(methods)  # type: ignore[attr-defined]
    return view


def check_parameters(asked: Asked, known: Collection[str] = ()) -> QueryDict:
    """Give the parameters of the address; raises ApiError where one is not known."""
    for name in sorted(set(asked.request.GET) - set(known)):
        raise ApiError(HTTPStatus.BAD_REQUEST, f"There is no parameter “{excerpt(name)}”.")
    return asked.request.GET


def absent(what: str, number: int) -> ApiError:
    """There is no such thing, or none that the key may see or change: nobody can tell the two apart."""
    return ApiError(HTTPStatus.NOT_FOUND, f"There is no {what} {number}, or none that the key may change.")


def conflict(error: Exception) -> ApiError:
    """What is asked for is right, and cannot be as things are."""
    return ApiError(HTTPStatus.CONFLICT, str(error))


def forbidden(detail: str) -> ApiError:
    return ApiError(HTTPStatus.FORBIDDEN, detail)


def _place(key: ApiKey, permission: Permission) -> Membership:
    try:
        return membership_of(key, permission)
    except NoAccess:
        raise forbidden(NO_PLACE) from None


def _actor(request: HttpRequest, key: ApiKey) -> Actor:
    return Actor(Via.API, key.created_by_id, client_address(request.META), key.pk)
