"""What all addresses of the API do around their own work: admit, bound the database's time, say what went wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus

from django.core.signals import got_request_exception
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from aggregates.api.admission import admit
from aggregates.api.body import MAX_SENT, SECONDS
from aggregates.api.problems import ApiError, failed, problem, unavailable
from aggregates.db.ailing import AILING
from aggregates.db.limits import TimedOut
from aggregates.models import ApiKey, Kind
from aggregates.ops.allowances import NOTES, Allowance, Lane, allow
from aggregates.ops.requests import note_ailing, note_reason

STATEMENT_TIMEOUT = "20s"
LOCK_TIMEOUT = "5s"
ALLOWANCE = Allowance(Lane.API, MAX_SENT, SECONDS, reads_bodies=True)
ADMITTED = "key"  # in the notes of a request, once its key was admitted
WITHOUT_BODY = Allowance(Lane.API, reads_bodies=True)  # what comes with one is refused for its method

Work = Callable[[HttpRequest, ApiKey], HttpResponse]
View = Callable[..., HttpResponse]
Refusal = Callable[[HttpRequest, ApiError], HttpResponse]


def endpoint(
    kind: Kind, refusal: Refusal = problem, method: str = "POST", *, is_whole: bool = False
) -> Callable[[Work], View]:
    """A view for requests of this method with a key of this kind; Refused, raised in it, is answered by `refusal`. What
    tells of the usage as a whole, `is_whole`, is for keys that are not limited to a part."""

    def decorate(work: Work) -> View:
        @wraps(work)
        def answer(request: HttpRequest) -> HttpResponse:
            return _answer(request, kind, method, work, is_whole=is_whole)

        return guarded(answer, ALLOWANCE if method == "POST" else WITHOUT_BODY, refusal)

    return decorate


def guarded(answer: View, allowance: Allowance, refusal: Refusal = problem) -> View:
    """A view for clients that are no browsers, which says what went wrong in its own words."""

    @csrf_exempt
    @allow(allowance)
    @wraps(answer)
    def view(request: HttpRequest, **place: int) -> HttpResponse:
        try:
            return answer(request, **place)
        except ApiError as refused:
            return refusal(request, refused)
        except Exception:
            got_request_exception.send(sender=view, request=request)
            return refusal(request, failed())

    return view


def _answer(request: HttpRequest, kind: Kind, method: str, work: Work, *, is_whole: bool) -> HttpResponse:
    if request.method != method:
        raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, f"Expected {method}.", {"Allow": method})
    with refusing_where_ailing():
        key = admitted(request, kind)
        if is_whole and key.scope:
            raise ApiError(HTTPStatus.FORBIDDEN, f"The key reads only {key.scope.words}, and this tells of everything.")
        return work(request, key)


def admitted(request: HttpRequest, kind: Kind) -> ApiKey:
    """Admit a request once, though it is tried again when its body has arrived.

    In no transaction of its own, as each statement of a request ends in time.
    """
    notes: dict[str, ApiKey] = request.META.get(NOTES, {})
    if ADMITTED not in notes:
        notes[ADMITTED] = admit(request.headers, kind)
    return notes[ADMITTED]


@contextmanager
def refusing_where_ailing() -> Iterator[None]:
    """Raise ApiError where the database cannot do what is asked of it within."""
    try:
        yield
    except TimedOut as error:
        note_reason(str(error))
        raise unavailable(str(error)) from error
    except AILING as error:
        note_ailing(error)
        raise unavailable() from error


@contextmanager
def bounded() -> Iterator[None]:
    """A transaction whose statements, and waits for locks, end in time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [STATEMENT_TIMEOUT, LOCK_TIMEOUT],
        )
        yield
