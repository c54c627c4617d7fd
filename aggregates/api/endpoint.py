"""What all addresses of the API do around their own work: admit, bound the database's time, say what went wrong."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from http import HTTPStatus

from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from aggregates.api.admission import admit
from aggregates.api.body import discard
from aggregates.api.problems import ApiError, problem, unavailable
from aggregates.db.limits import TimedOut
from aggregates.models import ApiKey, Kind

STATEMENT_TIMEOUT = "20s"
LOCK_TIMEOUT = "5s"
# What an ailing database raises: gone, full, read-only, out of time. Others are mistakes of ours.
AILING = (OperationalError, InterfaceError, InternalError)

Work = Callable[[HttpRequest, ApiKey], HttpResponse]
View = Callable[[HttpRequest], HttpResponse]
Refusal = Callable[[HttpRequest, ApiError], HttpResponse]

logger = logging.getLogger(__name__)


def endpoint(kind: Kind, refusal: Refusal = problem, method: str = "POST") -> Callable[[Work], View]:
    """A view for requests of this method with a key of this kind; Refused, raised in it, is answered by `refusal`."""

    def decorate(work: Work) -> View:
        @csrf_exempt
        @wraps(work)
        def view(request: HttpRequest) -> HttpResponse:
            try:
                return _answer(request, kind, method, work)
            except ApiError as refused:
                discard(request)
                return refusal(request, refused)

        return view

    return decorate


def _answer(request: HttpRequest, kind: Kind, method: str, work: Work) -> HttpResponse:
    if request.method != method:
        raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, f"Expected {method}.", {"Allow": method})
    with refusing_where_ailing(request.path):
        with bounded():
            key = admit(request.headers, kind)
        return work(request, key)


@contextmanager
def refusing_where_ailing(path: str) -> Iterator[None]:
    """Raise ApiError where the database cannot do what is asked of it within."""
    try:
        yield
    except TimedOut as error:
        raise unavailable(str(error)) from error
    except AILING as error:
        # Of its message the first line only: others may quote what was to be recorded.
        logger.warning("%s is answered 503: %s", path, str(error).partition("\n")[0])
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
