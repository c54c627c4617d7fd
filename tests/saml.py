"""A real SAML provider on this machine, out of an environment of its own."""

import html
import json
import os
import re
import socket
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.core.cache import cache

from tests.clients.environments import modules_of
from tests.patience import PATIENCE, wait_until
from tests.serving import is_up
from usagesite import identity_providers

BEGIN, CONSUME, FINISH = "/login/with/saml/", "/login/with/saml/acs/", "/login/with/saml/acs/finish/"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


class Provider:
    """The provider, and what it says of whom."""

    def __init__(self, entity: str, key: Path, certificate: Path, accounts: Path) -> None:
        self.entity, self.key, self.certificate, self.accounts = entity, key, certificate, accounts

    def says(
        self, name: str, *, name_id: str = "", name_id_format: str = PERSISTENT, options: Any = None, **attributes: Any
    ) -> None:
        """Have it say this of whom logs in as `name`; `options` are samlp's."""
        known = json.loads(self.accounts.read_text())
        user = {"nameId": name_id or name, "nameIdFormat": name_id_format, "options": options or {}}
        self.accounts.write_text(json.dumps({**known, name: {**user, "attributes": attributes}}))

    def log_in(self, address: str, name: str) -> dict[str, str]:
        """Log in there as a browser does; the form that it would have the browser post to the site."""
        with requests.Session() as browser:
            page = browser.get(address, timeout=PATIENCE)
            form = {**fields_of(page.text), "login": name}
            page = browser.get(urljoin(page.url, "/sso"), params=form, timeout=PATIENCE)
        assert page.status_code == 200, page.text
        return fields_of(page.text)

    def set_for(self, settings: Any, **reached: str) -> None:
        """Set the site up with this provider, which speaks for example.com."""
        settings.SSO_PROVIDER, settings.SSO_NAME = "saml", "Acme ID"
        settings.SSO_DOMAINS, settings.SSO_EMAILS_CONFIRMED = [("example.com", "", "")], True
        reached = reached or {"metadata_url": f"{self.entity}/metadata", "entity_id": ""}
        settings.SOCIALACCOUNT_PROVIDERS = identity_providers.saml("Acme ID", reached)
        cache.clear()


def fields_of(page: str) -> dict[str, str]:
    """The fields of a page's form that are filled in."""
    tags = re.findall(r"<input [^>]*>", page)
    found = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in tags]
    return {tag["name"]: html.unescape(tag["value"]) for tag in found if "value" in tag and "name" in tag}


def assertion_in(form: dict[str, str]) -> str:
    return b64decode(form["SAMLResponse"]).decode()


def sent(response: str) -> dict[str, str]:
    return {"SAMLResponse": b64encode(response.encode()).decode()}


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key, and a certificate of it that nobody vouches for, as those of SAML are."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    of_key, of_certificate = folder / "key.pem", folder / "certificate.pem"
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    of_key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    of_certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return of_key, of_certificate


@contextmanager
def providing(site: str, folder: Path) -> Iterator[Provider]:
    """Run the provider for the site of this address until the end of the block. It is at another host name than the
    site, so that browsers send none of the site's cookies with what it has them post."""
    modules, accounts = modules_of("saml"), folder / "accounts.json"
    key, certificate = make_certificate(folder)
    accounts.write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    told = {"MODULES": str(modules), "PORT": str(port), "ACCOUNTS": str(accounts), "CALLBACK": site + CONSUME}
    command = ["node", str(Path(__file__).with_name("saml_provider.mjs"))]
    files = {"KEY": str(key), "CERT": str(certificate)}
    process = subprocess.Popen(
        command, env={**os.environ, **told, **files}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_up(port), "the provider is up")
        yield Provider(f"http://localhost:{port}", key, certificate, accounts)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
