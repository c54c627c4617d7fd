"""Why a request is refused, and how that is said: as a problem document, RFC 9457."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from aggregates.ops.requests import current_id

RETRY_AFTER = 10  # seconds, where nobody knows better


Errors = Sequence[tuple[str, str]]  # a field, and what is wrong with it


class ApiError(Exception):
    """A request that is not done; `detail` says why, for people, and holds nothing of the body but short pieces.

    `errors` says it field by field, where that is so.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None, errors: Errors = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.errors = errors


NOT_RECORDED = "The database cannot take this now. Nothing of it was recorded; send it again later."


def unavailable(detail: str = NOT_RECORDED) -> ApiError:
    """What the database could not do now; nothing of the request was recorded."""
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail,
        {"Retry-After": str(RETRY_AFTER)},
    )


def failed() -> ApiError:
    """What went wrong here, and is not the sender's fault."""
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"The site failed. Its log says more of request {current_id()}.")


def problem(request: HttpRequest, refused: ApiError) -> HttpResponse:
    content: dict[str, Any] = {"title": refused.status.phrase, "status": refused.status.value, "detail": refused.detail}
    if refused.errors:
        content["errors"] = [{"field": field, "reason": reason} for field, reason in refused.errors]
    if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        content["request_id"] = current_id()
    return JsonResponse(
        content, status=refused.status, headers=refused.headers, content_type="application/problem+json"
    )
