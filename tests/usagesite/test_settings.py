"""A wrong environment variable stops the start with one line that never repeats its value."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.usagesite.conftest import BASE
from tests.warm import WarmProcess, libraries
from usagesite import env

WORD = "expected 1, 0, true, false, yes, no, on or off."
PORT = "expected a port number from 1 to 65535."
ADDRESS = "expected an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
PORT_OR_0 = "expected a port number from 1 to 65535, or 0."
HOSTS = "expected host names separated by commas, without scheme or path, such as usage.example.com."
DATABASE = "expected a PostgreSQL address such as postgresql://user:password@host:5432/name"

MAIL = (
    "expected a mail server such as smtp+tls://user:password@mail.example.com:587; or smtps://, or smtp:// without TLS."
)
SENDER = "expected an address that mails are from, such as usage@example.com, as EMAIL_URL is set."
METADATA = "expected a SAML provider's metadata: an address such as https://id.example.com/metadata, or a file."
ASKED = "expected where a SAML provider is asked, such as https://id.example.com/sso."
HOURS = "expected a whole number from 1 to 8,760."
MONTHS = "expected a whole number from 0 to 1,200."

WRONG = [
    ("DEBUG", "maybe", WORD),
    ("DEBUG", "2", WORD),
    ("HTTPS", "https", WORD),
    ("PORT", "0", PORT),
    ("PORT", "65536", PORT),
    ("PORT", "-80", PORT),
    ("PORT", "http", PORT),
    ("PORT", "٨٠٠٠", PORT),
    ("BIND", "localhost", ADDRESS),
    ("BIND", "127.0.0.1:8000", ADDRESS),
    ("WEB_CONCURRENCY", "0", "expected a whole number from 1 to 64."),
    ("WEB_TIMEOUT", "4", "expected a whole number from 40 to 3,600."),
    ("STOP_SECONDS", "0.5", "expected a whole number from 1 to 3,600."),
    ("OTLP_GRPC_PORT", "65536", PORT_OR_0),
    ("OTLP_GRPC_PORT", "-1", PORT_OR_0),
    ("OTLP_GRPC_PORT", "off", PORT_OR_0),
    ("ALLOWED_HOSTS", "https://usage.example.com", HOSTS),
    ("ALLOWED_HOSTS", "one.example.com,,two.example.com", HOSTS),
    ("ALLOWED_HOSTS", "one.example.com two.example.com", HOSTS),
    ("SECRET_KEY", "hunter2", "expected at least 32 characters."),
    ("DATABASE_URL", "mysql://root:hunter2@localhost/usage", f"{DATABASE}."),
    ("DATABASE_URL", "hunter2", f"{DATABASE}."),
    ("DATABASE_URL", "postgresql://me:hunter2@localhost:port/usage", f"{DATABASE}."),
    ("DATABASE_URL", "postgresql://me:hunter2@localhost", f"{DATABASE}: it names no database."),
    ("READ_DATABASE_URL", "hunter2", f"{DATABASE}."),
    ("READ_DATABASE_URL", "postgresql://me:hunter2@localhost", f"{DATABASE}: it names no database."),
    ("METRICS_TOKEN", "hunter2", "expected at least 32 characters."),
    ("METRICS_TOKEN", "hunter2" * 4, "expected at least 32 characters."),
    ("LOG_FORMAT", "hunter2", "expected text or json."),
    ("KEEP_MONTHS", "-1", MONTHS),
    ("KEEP_MONTHS", "1201", MONTHS),
    ("ROLLED_WITHIN_HOURS", "0", HOURS),
    ("ROLLED_WITHIN_HOURS", "8761", HOURS),
    ("ROLLED_WITHIN_HOURS", "1.5", HOURS),
    ("TRUSTED_PROXIES", "-1", "expected a whole number from 0 to 10."),
    ("TRUSTED_PROXIES", "10.0.0.1", "expected a whole number from 0 to 10."),
    ("SESSION_IDLE_HOURS", "0", HOURS),
    ("SESSION_DAYS", "366", "expected a whole number from 1 to 365."),
    ("EMAIL_URL", "mail.example.com", MAIL),
    ("EMAIL_URL", "https://me:hunter2@mail.example.com", MAIL),
    ("EMAIL_URL", "smtp://me:hunter2@mail.example.com:port", MAIL),
    ("EMAIL_URL", "smtp://", MAIL),
    ("EMAIL_FROM", "nobody", SENDER),
    ("SAML_METADATA", "http://id.example.com/hunter2", METADATA),
    ("SAML_METADATA", "https://[hunter2", METADATA),
    ("SAML_METADATA", "/hunter2", METADATA),
    ("SAML_SSO_URL", "http://id.example.com/hunter2", ASKED),
    ("SAML_CERTIFICATE", __file__, "expected a file with a certificate in PEM."),
    ("USAGESITE_DATA", "/dev/null/data", "expected a folder that exists or can be made (Not a directory)."),
]

NAMES = {name for name, _, _ in WRONG}


SHOW = "import usagesite.settings as s; print(s.PORT, s.ALLOWED_HOSTS, s.SECRET_KEY)"
Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Read the settings, with a data folder and environment variables, in a process that has loaded what they use."""
    kept = {name: value for name, value in os.environ.items() if name not in NAMES}
    warm = WarmProcess(kept, modules=("csp.constants", "django", "usagesite.embedded", "usagesite.env"))

    def start_one(data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        status, said, complained = warm.run("-c", SHOW, **{"USAGESITE_DATA": str(data)} | variables)
        return subprocess.CompletedProcess(SHOW, status, said, complained)

    yield start_one
    warm.end()


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_a_wrong_value_stops_the_start_with_one_line(
    start: Start, tmp_path: Path, name: str, value: str, expected: str
) -> None:
    answer = start(tmp_path, **{name: value})
    assert answer.stderr == f"Environment variable {name}: {expected}\n"
    assert answer.returncode == 1
    assert "hunter2" not in answer.stdout + answer.stderr


def test_a_mail_server_needs_a_sender(start: Start, tmp_path: Path) -> None:
    answer = start(tmp_path, EMAIL_URL="smtp://mail.example.com")
    assert answer.stderr == f"Environment variable EMAIL_FROM: {SENDER}\n"
    assert start(tmp_path, EMAIL_URL="smtp://mail.example.com", EMAIL_FROM="usage@example.com").returncode == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 25, "", "", False, False)),
        ("smtp+tls://me:p%40ss@mail.example.com", ("mail.example.com", 587, "me", "p@ss", True, False)),
        ("smtps://me:word@mail.example.com:2465/", ("mail.example.com", 2465, "me", "word", False, True)),
    ],
)
def test_a_mail_server_is_an_address(monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[object, ...]) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    names = ("host", "port", "username", "password", "use_tls", "use_ssl")
    read = env.mail_server("EMAIL_URL")
    assert read
    assert tuple(read[name] for name in names) == expected
    monkeypatch.setenv("EMAIL_URL", "")
    assert env.mail_server("EMAIL_URL") is None


SSO = {"SSO_DOMAINS": "example.com=acme:viewer", "SSO_NAME": "Example ID"}
SAML = {"SAML_METADATA": "https://id.example.com/metadata?app=usage"}
OIDC = {"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "usage", "OIDC_CLIENT_SECRET": "hunter2"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (SAML | SSO, ""),
        (OIDC | SSO, ""),
        (OIDC | {"OIDC_DOMAINS": "example.com=acme:viewer", "OIDC_ONLY": "acme"}, ""),
        (SAML, "SSO_DOMAINS: expected domains whose addresses the provider speaks for, as there is one."),
        (
            SAML | OIDC | SSO,
            "SAML_METADATA: expected nothing, as there is another provider, and people sign in with one.",
        ),
        (
            SAML | SSO | {"OIDC_NAME": "x"},
            "OIDC_NAME: expected nothing, as SSO_NAME is set: that is what it is called now.",
        ),
        ({"SSO_ONLY": "acme"}, "SSO_ONLY: expected nothing, as there is no provider, and members had no way in."),
        (
            SSO | {"SAML_SSO_URL": "https://id.example.com/sso"},
            "SAML_ENTITY_ID: expected a text on one line, as SAML_SSO_URL is set.",
        ),
        (
            SSO | {"SAML_SSO_URL": "https://id.example.com/sso", "SAML_ENTITY_ID": "x"},
            "SAML_CERTIFICATE: expected a file with a certificate in PEM, as SAML_SSO_URL is set.",
        ),
    ],
)
def test_there_is_one_provider_or_none(start: Start, tmp_path: Path, given: dict[str, str], expected: str) -> None:
    answer = start(tmp_path, **given)
    assert answer.stderr == (expected and f"Environment variable {expected}\n")


def test_a_site_without_the_packages_of_saml_starts() -> None:
    code = (
        "import sys; sys.modules.update(lxml=None, xmlsec=None, onelogin=None)\n"
        "import django; django.setup()\n"
        "import usagesite.urls\n"
    )
    given = {"DJANGO_SETTINGS_MODULE": "usagesite.settings", "DATABASE_URL": "postgresql://nobody@localhost/usage"}
    assert libraries().run("-c", code, **given) == (0, "", "")


def test_an_empty_value_counts_as_absent(start: Start, tmp_path: Path) -> None:
    absent = start(tmp_path)
    empty = start(tmp_path, DEBUG="", PORT="", ALLOWED_HOSTS="", SECRET_KEY="", DATABASE_URL="", HTTPS="")
    assert absent.returncode == 0, absent.stderr
    assert empty.stdout == absent.stdout


@pytest.mark.parametrize(("value", "port"), [("4318", 4318), ("0", 0), ("", 0)])
def test_the_port_of_grpc_may_be_none(monkeypatch: pytest.MonkeyPatch, value: str, port: int) -> None:
    monkeypatch.setenv("OTLP_GRPC_PORT", value)
    assert env.port_or_off("OTLP_GRPC_PORT", 4317) == port
    monkeypatch.delenv("OTLP_GRPC_PORT")
    assert env.port_or_off("OTLP_GRPC_PORT", 4317) == 4317


def test_a_secret_key_is_made_once_and_kept_private(start: Start, tmp_path: Path) -> None:
    assert start(tmp_path).stdout == start(tmp_path).stdout
    kept = tmp_path / "secret-key"
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("hunter2")
    answer = start(tmp_path)
    assert answer.returncode == 1
    assert answer.stderr == f"{kept} should hold a secret of at least 32 characters; delete it and a new one is made.\n"


def test_of_two_who_make_a_secret_key_at_once_both_have_that_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, make, of_first = tmp_path / "secret-key", secrets.token_urlsafe, []

    def make_late(size: int) -> str:
        monkeypatch.setattr(secrets, "token_urlsafe", make)
        of_first.append(env.secret("ABSENT", kept))  # another process comes in between
        return make(size)

    monkeypatch.setattr(secrets, "token_urlsafe", make_late)
    assert [env.secret("ABSENT", kept)] == of_first
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_a_data_folder_that_we_may_not_write_to_is_refused() -> None:
    """As nobody where the tests run as root, who may write everywhere."""
    ask = "import os; from usagesite import env; os.geteuid() or os.setuid(65534); env.folder('USAGESITE_DATA', None)"
    answer = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=BASE,
        env=os.environ | {"USAGESITE_DATA": "/"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stderr == "Environment variable USAGESITE_DATA: expected a folder that this user may write to.\n"
    assert answer.returncode == 1
