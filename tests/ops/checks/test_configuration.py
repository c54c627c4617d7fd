"""What an operator gets wrong in the settings is found and explained."""

import os
import subprocess
import sys
from urllib.parse import quote

import pytest
from django.conf import settings as site
from django.core.checks import Tags
from django.core.checks.registry import registry
from django.db import connection
from psycopg import IsolationLevel

from aggregates.ops.checks import strangers
from aggregates.ops.checks.configuration import CONFIGURATION, DEPLOYMENT
from tests.processes import BASE

CLUSTER = site.Q_CLUSTER
DATABASE = site.DATABASES["default"]
LOCAL_MEMORY = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SHARED = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}
IN_CACHE = "django.contrib.sessions.backends.cache"
PROBES = "aggregates.web.views.probes.Probes"
LIMITS = "aggregates.web.views.time_limits.TimeLimits"


def ours(deploy: bool) -> list[str]:
    """Our checks of the settings alone: Django's of models may ask the database for its version."""
    checks = [check for check in registry.get_checks(deploy) if Tags.database not in check.tags]
    checks = [check for check in checks if check.__module__ == "aggregates.ops.checks.configuration"]
    return sorted(message.id for check in checks for message in check(app_configs=None))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"Q_CLUSTER": {**CLUSTER, "retry": CLUSTER["timeout"]}}, ["aggregates.E001"]),
        ({"Q_CLUSTER": {**CLUSTER, "retry": CLUSTER["timeout"] + 1}}, []),
        ({"Q_CLUSTER": {**CLUSTER, "timeout": None}}, ["aggregates.E001"]),
        ({"Q_CLUSTER": {key: CLUSTER[key] for key in ("orm", "timeout")}}, ["aggregates.E001"]),
        ({"Q_CLUSTER": {**CLUSTER, "workers": 1}}, ["aggregates.W022"]),
        ({"Q_CLUSTER": {**CLUSTER, "orm": None}}, ["aggregates.E002"]),
        ({"METRICS_TOKEN": "x" * 31}, ["aggregates.E003"]),
        ({"METRICS_TOKEN": "x" * 32}, []),
        ({"MIDDLEWARE": [name for name in site.MIDDLEWARE if name != PROBES]}, ["aggregates.W001"]),
        ({"MIDDLEWARE": [*site.MIDDLEWARE[1:], PROBES]}, ["aggregates.W001"]),
        ({"MIDDLEWARE": [name for name in site.MIDDLEWARE if name != LIMITS]}, ["aggregates.W020"]),
        ({"SESSION_ENGINE": IN_CACHE, "CACHES": LOCAL_MEMORY}, ["aggregates.W002"]),
        ({"SESSION_ENGINE": IN_CACHE, "CACHES": SHARED}, []),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db", "CACHES": LOCAL_MEMORY}, []),
    ],
)
def test_wrong_settings_are_found(settings, changed, expected):
    for name, value in changed.items():
        setattr(settings, name, value)

    assert ours(deploy=False) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"ATOMIC_REQUESTS": True}, ["aggregates.E004"]),
        ({"OPTIONS": {"pool": True}}, ["aggregates.E005"]),
        ({"OPTIONS": {"isolation_level": IsolationLevel.REPEATABLE_READ}}, ["aggregates.E006"]),
        ({"OPTIONS": {"isolation_level": IsolationLevel.READ_COMMITTED}}, []),
    ],
)
def test_wrong_settings_of_the_database_are_found(monkeypatch, changed, expected):
    for name, value in changed.items():
        monkeypatch.setitem(DATABASE, name, value)

    assert ours(deploy=False) == expected


@pytest.mark.parametrize(
    ("hosts", "embedded", "expected"),
    [
        (["usage.example.com"], False, []),
        (["usage.example.com", "localhost"], False, []),
        (["localhost", "127.0.0.1", "[::1]"], False, ["aggregates.W003"]),
        (["*"], False, ["aggregates.W004"]),
        (["usage.example.com"], True, ["aggregates.W005"]),
    ],
)
def test_what_matters_only_where_others_reach_the_site(settings, monkeypatch, hosts, embedded, expected):
    settings.ALLOWED_HOSTS = hosts
    monkeypatch.delitem(DATABASE, "EMBEDDED", raising=False)
    if embedded:
        monkeypatch.setitem(DATABASE, "EMBEDDED", {})

    assert ours(deploy=True) == expected
    assert ours(deploy=False) == []


@pytest.mark.parametrize(
    ("https", "proxies", "expected"), [(True, 0, ["aggregates.W026"]), (True, 1, []), (False, 0, [])]
)
def test_a_proxy_that_is_not_counted_is_found(settings, https, proxies, expected):
    settings.HTTPS, settings.TRUSTED_PROXIES = https, proxies

    assert [message.id for message in strangers.proxies(None)] == expected


def test_every_message_says_what_to_do(settings, monkeypatch):
    settings.Q_CLUSTER = {}
    settings.METRICS_TOKEN = "hunter2"
    settings.MIDDLEWARE = []
    settings.SESSION_ENGINE, settings.CACHES = IN_CACHE, LOCAL_MEMORY
    settings.ALLOWED_HOSTS = ["*"]
    for name, value in {"ATOMIC_REQUESTS": True, "OPTIONS": {"pool": True}, "EMBEDDED": {}}.items():
        monkeypatch.setitem(DATABASE, name, value)

    found = [message for check in (*CONFIGURATION, *DEPLOYMENT) for message in check(None)]

    assert len(found) == 10
    assert all(message.hint for message in found)
    assert not any("hunter2" in str(message) for message in found)


@pytest.mark.django_db
def test_a_site_that_is_set_up_as_the_readme_says_passes_every_check(tmp_path):
    """Django's checks of models ask the database for its version."""
    database = connection.settings_dict
    setup = {
        "ALLOWED_HOSTS": "usage.example.com",
        "DATABASE_URL": f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}",
        "HTTPS": "1",
        "METRICS_TOKEN": "m" * 32,
        "TRUSTED_PROXIES": "1",
        "SECRET_KEY": "p$k4eBq7-GVd2xZ0hW8sJ1uRfYcTn5aLo9iMzXvQwErTyUiOpAs",
        "USAGESITE_DATA": str(tmp_path),
    }
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE,
        # Browser tests of the same run set this variable; no site should.
        env={name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
        | setup
        | {"DJANGO_SETTINGS_MODULE": "usagesite.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.stderr == ""
    assert answer.stdout == "System check identified no issues (2 silenced).\n"
