"""What monitors ask: whether the process lives, whether the site is ready, and its metrics."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from aggregates.accounts.addresses import parse_address
from aggregates.domain.hosts import THIS_MACHINE
from aggregates.ops import health, metrics
from aggregates.ops.allowances import Allowance, Lane, allow

# Any of these says that a proxy passes a request on, so that its peer says nothing about who asks.
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip")


@allow(Allowance(Lane.HEALTH))
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer: the process lives; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@allow(Allowance(Lane.MONITOR))
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    found = health.problems()
    ready = health.is_ready(found)
    checks = {check: not any(problem.check == check for problem in found) for check in health.CHECKS}
    words = [{"check": problem.check, "unready": problem.unready, "problem": problem.words} for problem in found]
    return JsonResponse({"ready": ready, "checks": checks, "problems": words}, status=200 if ready else 503)


@allow(Allowance(Lane.MONITOR))
@require_safe
@never_cache
def scrape(request: HttpRequest) -> HttpResponse:
    """Expose the metrics to whoever holds METRICS_TOKEN, and to processes of this machine."""
    if not (has_token(request) or is_of_this_machine(request)):
        answer = HttpResponse("A token is needed: METRICS_TOKEN.\n", status=401, content_type="text/plain")
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    body, content_type = metrics.exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN
    return bool(expected) and scheme.lower() == "bearer" and constant_time_compare(token.strip(), expected)


def is_of_this_machine(request: HttpRequest) -> bool:
    """Say whether the request came straight from a process of this machine, and not through a proxy on it.

    Only where ALLOWED_HOSTS names nothing else: a proxy may say nothing of itself, and hand on any host that a client
    names.
    """
    if not settings.THIS_MACHINE_ONLY:
        return False
    if any(name in request.headers for name in FORWARDED):
        return False
    host, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host in THIS_MACHINE or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    """Say whether an address is this machine's own; a socket's peer has none."""
    parsed = parse_address(address)
    return parsed is not None and parsed.is_loopback


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": scrape}


class Probes:
    """First of all middleware: no host name, redirect to TLS, session or log-in is between a probe and its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)
