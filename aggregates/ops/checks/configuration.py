"""Settings that are wrong whatever the database holds; some only where others reach the site (`--deploy`)."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from psycopg import IsolationLevel

from aggregates.domain.hosts import THIS_MACHINE

SHORTEST_TOKEN = 32
FIRST = ("aggregates.web.views.requests.Requests", "aggregates.web.views.probes.Probes")
OF_ONE_PROCESS = ("locmem.LocMemCache", "dummy.DummyCache")
Check = Callable[..., Iterable[CheckMessage]]


def task_cluster(app_configs: Any, **_: Any) -> list[CheckMessage]:
    cluster: dict[str, Any] = settings.Q_CLUSTER
    found: list[CheckMessage] = []
    timeout, retry = cluster.get("timeout"), cluster.get("retry", 60)  # django-q2's own default
    if not timeout or retry <= timeout:
        found.append(
            Error(
                f"Q_CLUSTER: retry ({retry}) is not above timeout ({timeout}).",
                hint="A roll-up that runs for longer than retry is started again beside itself. "
                "Set both, in seconds, and retry above timeout.",
                id="aggregates.E001",
            )
        )
    if cluster.get("workers", 2) < 2:
        found.append(
            Warning(
                "Q_CLUSTER: a single worker imports no files of the page for imports.",
                hint="The last worker of a cluster is left for rolling up: set workers to 2 or more.",
                id="aggregates.W022",
            )
        )
    if cluster.get("orm") != "default":
        found.append(
            Error(
                "Q_CLUSTER: the queue is not in the site's database.",
                hint='Set "orm": "default", so that a task and its schedule commit together.',
                id="aggregates.E002",
            )
        )
    return found


def metrics_token(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if 0 < len(settings.METRICS_TOKEN) < SHORTEST_TOKEN:
        hint = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        return [
            Error(f"METRICS_TOKEN has less than {SHORTEST_TOKEN} characters.", hint=hint, id="aggregates.E003"),
        ]
    return []


def exact_transactions(app_configs: Any, **_: Any) -> list[CheckMessage]:
    database = settings.DATABASES["default"]
    found: list[CheckMessage] = []
    if database.get("ATOMIC_REQUESTS"):
        found.append(
            Error(
                "DATABASES: ATOMIC_REQUESTS is on.",
                hint="Each page reads in a transaction of its own, in which all its numbers are as of one moment.",
                id="aggregates.E004",
            )
        )
    if database.get("OPTIONS", {}).get("pool"):
        found.append(
            Error(
                "DATABASES: OPTIONS has a connection pool.",
                hint="The task cluster forks, and the connections of a pool do not survive that.",
                id="aggregates.E005",
            )
        )
    level = database.get("OPTIONS", {}).get("isolation_level", IsolationLevel.READ_COMMITTED)
    if level != IsolationLevel.READ_COMMITTED:
        found.append(
            Error(
                "DATABASES: OPTIONS has another isolation_level than READ COMMITTED.",
                hint="Recording and rolling up have to see what others committed while they waited for a lock: "
                "at any other level they refuse, or numbers would go wrong.",
                id="aggregates.E006",
            )
        )
    return found


def first_of_middleware(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if tuple(settings.MIDDLEWARE[: len(FIRST)]) == FIRST:
        return []
    return [
        Warning(
            f"MIDDLEWARE does not begin with {' and '.join(FIRST)}.",
            hint="Without them failed requests leave no line in the log, and there is no /healthz, /readyz and "
            "/metrics; after others, ALLOWED_HOSTS and the redirect to HTTPS answer probes before they do.",
            id="aggregates.W001",
        )
    ]


def time_limits(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if "aggregates.web.views.time_limits.TimeLimits" in settings.MIDDLEWARE:
        return []
    return [
        Warning(
            "MIDDLEWARE lacks aggregates.web.views.time_limits.TimeLimits.",
            hint="Without it a page may wait for as long as somebody locks a table, and then fail without a word. "
            "Put it before the middleware of sessions.",
            id="aggregates.W020",
        )
    ]


def cache_of_sessions(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Warn of sessions in a cache of one process: the site keeps nothing else there, and other processes lose them."""
    if not settings.SESSION_ENGINE.endswith(".cache"):
        return []
    backend = settings.CACHES[settings.SESSION_CACHE_ALIAS]["BACKEND"]
    if not backend.endswith(OF_ONE_PROCESS):
        return []
    return [
        Warning(
            "Sessions are kept in the memory of one process, and the site runs in several.",
            hint="People would be logged out at every other request. Leave SESSION_ENGINE at its default, the "
            "database, or set CACHES to a cache that the processes share.",
            id="aggregates.W002",
        )
    ]


def reach(app_configs: Any, **_: Any) -> list[CheckMessage]:
    hosts: set[str] = set(settings.ALLOWED_HOSTS)
    found: list[CheckMessage] = []
    if hosts <= THIS_MACHINE:
        found.append(
            Warning(
                "ALLOWED_HOSTS: the site answers to this machine only.",
                hint="Set it to the name that people use, such as usage.example.com.",
                id="aggregates.W003",
            )
        )
    if "*" in hosts:
        found.append(
            Warning(
                "ALLOWED_HOSTS: the site answers to any name.",
                hint="Name the hosts: links in the site's answers are made from the name that a request gives.",
                id="aggregates.W004",
            )
        )
    return found


def database_of_its_own(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if "EMBEDDED" not in settings.DATABASES["default"]:
        return []
    return [
        Warning(
            "DATABASE_URL is not set: the log is in the embedded PostgreSQL, which nothing backs up.",
            hint="Set DATABASE_URL to a PostgreSQL that is backed up, or back up USAGESITE_DATA (docs/settings.md).",
            id="aggregates.W005",
        )
    ]


def packages_of_saml(app_configs: Any, **_: Any) -> list[CheckMessage]:
    if settings.SSO_PROVIDER != "saml":
        return []
    try:
        import_module("onelogin.saml2.auth")
    except Exception as error:  # xmlsec has one of its own for another libxml2 than that of lxml
        return [
            Error(
                f"A SAML provider is set, and what reads its answers does not work: {error}.",
                hint="pip install --require-hashes --requirement requirements-saml.lock. Where lxml and xmlsec are "
                "built, and not taken as wheels, both have to be built with the same libxml2.",
                id="aggregates.E007",
            )
        ]
    return []


CONFIGURATION: tuple[Check, ...] = (
    task_cluster,
    metrics_token,
    exact_transactions,
    first_of_middleware,
    time_limits,
    cache_of_sessions,
    packages_of_saml,
)
DEPLOYMENT: tuple[Check, ...] = (reach, database_of_its_own)
