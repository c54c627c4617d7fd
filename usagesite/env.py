"""Settings from environment variables: a wrong value stops the start with one line."""

import ipaddress
import os
import secrets
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import dj_database_url
from psycopg import IsolationLevel

MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
MAIL_TIMEOUT = 10  # seconds
ROLES = ("owner", "admin", "analyst", "viewer")  # of aggregates.models
SHORTEST_SECRET = 32  # characters
CONN_MAX_AGE = 600  # seconds: the first page of a connection has all of its statements to plan, and takes 70 ms longer
CONNECT_TIMEOUT = 5  # seconds; a page or a probe says that there is no database rather than wait for minutes
# Of a server that may be missed: a machine that vanished is noticed within some ten seconds.
GIVEN_UP_SOON = {
    "connect_timeout": 2,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def stop(name: str, expected: str) -> NoReturn:
    """End the process: the variable's name and what it should be, never its value (it may be a secret)."""
    sys.exit(f"Environment variable {name}: expected {expected}.")


def boolean(name: str, default: bool) -> bool:
    value = os.environ.get(name, "")
    if not value:
        return default
    if value.lower() not in WORDS:
        stop(name, "1, 0, true, false, yes, no, on or off")
    return WORDS[value.lower()]


def port(name: str, default: int) -> int:
    value = os.environ.get(name, "") or str(default)
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        stop(name, "a port number from 1 to 65535")
    return int(value)


def port_or_off(name: str, default: int) -> int:
    """Read a port, or 0 where the variable is 0 or empty."""
    value = os.environ.get(name, str(default)) or "0"
    if not (value.isascii() and value.isdigit() and int(value) <= 65535):
        stop(name, "a port number from 1 to 65535, or 0")
    return int(value)


def ip_address(name: str, default: str) -> str:
    """Read an address to listen on, such as 127.0.0.1, or 0.0.0.0 or :: for all of this machine's."""
    value = os.environ.get(name, "") or default
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        stop(name, "an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them")


def with_port(address: str, port: int) -> str:
    """Write an address and a port as servers take them: an IPv6 address is in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def number(name: str, default: int, least: int, most: int) -> int:
    value = os.environ.get(name, "") or str(default)
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        stop(name, f"a whole number from {least} to {most:,}")
    return int(value)


def choice(name: str, words: tuple[str, ...]) -> str:
    """Read one of these words; the first where the variable is absent."""
    value = os.environ.get(name, "") or words[0]
    if value not in words:
        stop(name, " or ".join(words))
    return value


def hosts(name: str, default: list[str]) -> list[str]:
    """Read host names separated by commas, as Django's ALLOWED_HOSTS takes them."""
    value = os.environ.get(name, "")
    if not value:
        return default
    names = [part.strip() for part in value.split(",")]
    for host in names:
        if not host or "/" in host or " " in host:
            stop(name, "host names separated by commas, without scheme or path, such as usage.example.com")
    return names


def folder(name: str, default: Path) -> Path:
    """Read a folder that exists or can be made, and that this process may write to; absolute."""
    path = Path(os.environ.get(name, "") or default).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(name, f"a folder that exists or can be made ({error.strerror})")
    if not os.access(path, os.W_OK | os.X_OK):
        stop(name, "a folder that this user may write to")
    return path


def secret(name: str, kept_in: Path) -> str:
    """Read a secret of at least 32 characters; without the variable, one that is made once and kept in a file."""
    if value := token(name):
        return value
    if not kept_in.exists():
        _keep(secrets.token_urlsafe(48), kept_in)
    kept = kept_in.read_text()
    if len(kept) < SHORTEST_SECRET:
        sys.exit(f"{kept_in} should hold a secret of at least 32 characters; delete it and a new one is made.")
    return kept


def token(name: str) -> str:
    """Read a secret of at least 32 characters, or "" where the variable is absent."""
    value = os.environ.get(name, "")
    if value and len(value) < SHORTEST_SECRET:
        stop(name, f"at least {SHORTEST_SECRET} characters")
    return value


def _keep(text: str, kept_in: Path) -> None:
    """Make a private file that has all of its text from the start; of several who do so at once the first wins."""
    with NamedTemporaryFile("w", dir=kept_in.parent, prefix=f".{kept_in.name}-") as file, suppress(FileExistsError):
        file.write(text)
        file.flush()
        os.link(file.name, kept_in)


def database(name: str, **options: int) -> dict[str, Any] | None:
    """Read Django's settings for a PostgreSQL URL, or None when the variable is absent; `options` are those of libpq
    where the URL says nothing else."""
    value = os.environ.get(name, "")
    if not value:
        return None
    expected = "a PostgreSQL address such as postgresql://user:password@host:5432/name"
    if not value.startswith(("postgres://", "postgresql://")):
        stop(name, expected)
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(value, conn_max_age=CONN_MAX_AGE, conn_health_checks=True))
    except (ValueError, dj_database_url.ParseError):
        stop(name, expected)
    # Recording and rolling up are exact because each statement sees what was committed before it.
    parsed["OPTIONS"] = {
        "connect_timeout": CONNECT_TIMEOUT,
        **options,
        **parsed.get("OPTIONS", {}),
        "isolation_level": IsolationLevel.READ_COMMITTED,
    }
    if not parsed.get("NAME"):
        stop(name, f"{expected}: it names no database")
    return parsed


def standby(name: str) -> dict[str, Any] | None:
    """Read Django's settings for a standby, which is given up soon where it does not answer: there is the primary."""
    parsed = database(name, **GIVEN_UP_SOON)
    return parsed and parsed | {"TEST": {"MIRROR": "default"}}


def either(name: str, former: str) -> str:
    """Choose which variable is read: the one of this name, or of its former name where that is set."""
    if os.environ.get(name) and os.environ.get(former):
        stop(former, f"nothing, as {name} is set: that is what it is called now")
    return former if os.environ.get(former) else name


def issuer(name: str) -> str:
    """Read the address of an OpenID Connect provider, or "" where the variable is absent."""
    expected = "the address of an OpenID Connect provider, such as https://id.example.com"
    value = address(name, expected).rstrip("/")
    if urlsplit(value).query:
        stop(name, expected)
    return value


def address(name: str, expected: str) -> str:
    """Read an address that people or secrets are sent to, or "" where the variable is absent."""
    value = os.environ.get(name, "")
    if value and not _is_guarded(value):
        stop(name, expected)
    return value


def metadata(name: str) -> str:
    """Read the address of a SAML provider's metadata, or of a file with it; "" where the variable is absent."""
    value = os.environ.get(name, "")
    if not value or _is_guarded(value):
        return value
    path = Path(value).expanduser().absolute()
    if not os.access(path, os.R_OK) or not path.is_file():
        stop(name, "a SAML provider's metadata: an address such as https://id.example.com/metadata, or a file")
    return path.as_uri()


def certificate(name: str, *, needed_by: str = "") -> str:
    """Read a file with a certificate in PEM, or "" where the variable is absent."""
    value = os.environ.get(name, "")
    if not value and not needed_by:
        return ""
    try:
        text = Path(value).expanduser().read_text().strip()
        ssl.PEM_cert_to_DER_cert(text)
    except (OSError, ValueError):
        stop(name, "a file with a certificate in PEM" + (f", as {needed_by} is set" if needed_by else ""))
    return text


def _is_guarded(address: str) -> bool:
    """Say whether TLS guards what is sent to an address, or nothing leaves this machine."""
    try:
        parsed = urlsplit(address)
        is_near = parsed.scheme == "http" and parsed.hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False
    return bool(parsed.hostname) and (parsed.scheme == "https" or is_near)


def text(name: str, default: str, *, needed_by: str = "") -> str:
    """Read a text on one line."""
    value = os.environ.get(name, "") or default
    if (needed_by and not value) or not value.isprintable():
        stop(name, "a text on one line" + (f", as {needed_by} is set" if needed_by else ""))
    return value


def places(name: str, *, alone: bool = False) -> list[tuple[str, str, str]]:
    """Read names with an organization's slug and a role each, as in `example.com=acme:viewer, Finance=acme:admin`;
    a name that may stand alone has "" for both."""
    found = []
    for part in (part.strip() for part in os.environ.get(name, "").split(",")):
        key, sign, place = (each.strip() for each in part.rpartition("=")) if "=" in part else (part, "", "")
        slug, _, role = place.partition(":")
        if part and (not key or (not sign and not alone) or (sign and (not slug or role not in ROLES))):
            stop(
                name, f"names with a slug and a role each, as in example.com=acme:viewer; roles are {', '.join(ROLES)}"
            )
        if part:
            found.append((key, slug, role))
    return found


def names(name: str) -> list[str]:
    """Read texts that are separated by commas."""
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def mail_server(name: str) -> dict[str, Any] | None:
    """Read how Django reaches a mail server, or None when the variable is absent."""
    value = os.environ.get(name, "")
    if not value:
        return None
    expected = (
        "a mail server such as smtp+tls://user:password@mail.example.com:587; or smtps://, or smtp:// without TLS"
    )
    try:
        parsed = urlsplit(value)
        given = parsed.port
    except ValueError:
        stop(name, expected)
    if parsed.scheme not in MAIL_PORTS or not parsed.hostname or parsed.path.strip("/") or parsed.query:
        stop(name, expected)
    return {
        "host": parsed.hostname,
        "port": given or MAIL_PORTS[parsed.scheme],
        "username": unquote(parsed.username or ""),
        "password": unquote(parsed.password or ""),
        "use_tls": parsed.scheme == "smtp+tls",
        "use_ssl": parsed.scheme == "smtps",
        "timeout": MAIL_TIMEOUT,
    }


def mail_address(name: str, *, needed: bool) -> str:
    """Read whom mails are from, such as “Usage <usage@example.com>”."""
    value = os.environ.get(name, "")
    if (needed or value) and (value.count("@") != 1 or "\n" in value or "\r" in value):
        stop(name, "an address that mails are from, such as usage@example.com, as EMAIL_URL is set")
    return value
