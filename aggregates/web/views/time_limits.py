"""Pages end in time: no statement runs, or waits for a lock, for long, and a page says so where the database cannot."""

from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from http import HTTPStatus

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from aggregates.db.ailing import READ_ONLY, is_full, state_of
from aggregates.db.limits import WEB_SECONDS, TimedOut, is_timeout, limited_session, words_of
from aggregates.ops.requests import current_id, note_ailing

RETRY_AFTER = 10  # seconds
REFUSED = "The database cannot take this now: try again in a moment."
FULL = "There is no room for this file just now: try again in a moment."
NO_ROOM = (ENOSPC, EDQUOT)  # in the temporary folder
GONE = "The database does not answer: try again in a moment."


class TimeLimits:
    """Middleware before all that asks the database; what the API's addresses answer they say themselves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with limited_session(WEB_SECONDS):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable(error)


def unavailable(error: BaseException) -> HttpResponse | None:
    """Answer 503 where the database could not do what it was asked; None where it is not to blame."""
    words = _words(error)
    if not words:
        return None
    note_ailing(error)
    # Without the request: who is logged in would be asked of the database again.
    page = render_to_string("503.html", {"words": words, "request_id": current_id()})
    return HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": str(RETRY_AFTER)})


def _words(error: BaseException) -> str:
    match error:
        case TimedOut():
            return str(error)
        case OperationalError() if is_timeout(error):
            return words_of(error, WEB_SECONDS)
        case InternalError() if is_full(error) or state_of(error) == READ_ONLY:
            return REFUSED
        case OSError() if error.errno in NO_ROOM:
            return FULL
        case OperationalError() | InterfaceError():
            return REFUSED if is_full(error) else GONE
    return ""
