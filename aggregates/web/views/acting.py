"""Who does what a request asks for: the audit log has it from here."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from aggregates.accounts.addresses import client_address
from aggregates.db.audit import Actor, acting
from aggregates.models import Via

ADMIN = "admin"  # the namespace of Django's own pages


class Acting:
    """Middleware behind the one that knows the user; nobody is asked for unless there is something to write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(lambda: actor_of(request)):
            return self.get_response(request)


def actor_of(request: HttpRequest) -> Actor:
    found = request.resolver_match
    via = Via.ADMIN if found and found.app_name == ADMIN else Via.PAGE
    return Actor(via, request.user.pk, client_address(request.META))
