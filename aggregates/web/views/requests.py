"""Around everything: a request has an id, which its answer tells, is counted, and is logged if it fails."""

import logging
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from aggregates.accounts.addresses import client_address
from aggregates.ops import request_metrics
from aggregates.ops.requests import HEADER, MARK, Exchange
from aggregates.web.views.probes import PROBES

REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)  # of all refusals those that may be an attack
NOT_READY = "readyz"  # its 503 is an answer, and no failure

Answer = Callable[[HttpRequest], HttpResponseBase]


class Requests:
    """First of all middleware, so that whatever fails is seen."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        request_metrics.join()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        exchange = Exchange()
        setattr(request, MARK, exchange)
        with exchange.under_way():
            try:
                response = self.get_response(request)
            except Exception as error:  # so does Django where its page for this fails, too
                exchange.failure = error
                end(exchange, request, HTTPStatus.INTERNAL_SERVER_ERROR)
                raise
        response[HEADER] = exchange.id
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            sent: Any = response.streaming_content
            response.streaming_content = watched(exchange, request, response.status_code, sent)
        else:
            end(exchange, request, response.status_code)
        return response


def watched(exchange: Exchange, request: HttpRequest, status: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Hand on what is sent piece by piece; the request ends with the last one, or when its reader goes."""
    try:
        yield from pieces
    except Exception as error:
        exchange.failure = error
        exchange.reason = "the answer broke off"
        raise
    finally:
        end(exchange, request, status)


def end(exchange: Exchange, request: HttpRequest, status: int) -> None:
    """Count the request, and log it if it failed."""
    view = view_of(request)
    level = logging.WARNING if status in REFUSED else None
    if exchange.failure is not None or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and view != NOT_READY):
        level = logging.ERROR
    found = request.resolver_match
    about = {"method": request.method, "peer": client_address(request.META)}
    if found and "slug" in found.kwargs:
        about["organization"] = found.kwargs["slug"]
    exchange.end(view, str(int(status)), level, **about)


def view_of(request: HttpRequest) -> str:
    """Name what answered: never an address, of which there are any number, and which may hold a secret."""
    if request.resolver_match:
        return request.resolver_match.view_name or "unnamed"
    path = request.path_info
    return path.removeprefix("/") if path in PROBES else "none"  # these are answered before views are looked for
