"""A real OpenID Connect provider on this machine, out of an environment of its own."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from django.core.cache import cache

from tests.clients.environments import modules_of
from tests.patience import PATIENCE, wait_until
from tests.serving import is_up
from usagesite import identity_providers

CALLBACK = "/login/with/oidc/callback/"
SECRET = "a secret that no log may have"  # noqa: S105 (of these tests)


class Provider:
    """The provider, and what it says of whom."""

    def __init__(self, issuer: str, accounts: Path) -> None:
        self.issuer, self.accounts = issuer, accounts

    def says(self, subject: str, **claims: Any) -> None:
        known = json.loads(self.accounts.read_text())
        self.accounts.write_text(json.dumps({**known, subject: claims}))

    def log_in(self, address: str, subject: str, site: str) -> str:
        """Log in there as a browser does, and agree; where it leads to in the end, at the site."""
        with requests.Session() as browser:
            answer = browser.get(address, allow_redirects=False, timeout=PATIENCE)
            for _ in range(12):
                if to := answer.headers.get("Location"):
                    if to.startswith(site):
                        return to.removeprefix(site)
                    answer = browser.get(urljoin(answer.url, to), allow_redirects=False, timeout=PATIENCE)
                    continue
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert prompt, answer.text
                given = {"prompt": prompt[1], "login": subject, "password": "any"}
                form = re.search(r'<form [^>]*action="([^"]+)"', answer.text)
                assert form, answer.text
                answer = browser.post(urljoin(answer.url, form[1]), given, allow_redirects=False, timeout=PATIENCE)
        raise AssertionError(answer.text)

    def set_for(self, settings: Any) -> None:
        """Set the site up with this provider, which speaks for example.com."""
        settings.OIDC_ISSUER, settings.SSO_NAME = self.issuer, "Acme ID"
        settings.OIDC_SCOPES = ["openid", "email", "groups"]
        settings.SSO_DOMAINS = [("example.com", "", "")]
        settings.SSO_PROVIDER = "oidc"
        settings.SOCIALACCOUNT_PROVIDERS = identity_providers.openid_connect(self.issuer, "Acme ID", "usage", SECRET)
        cache.clear()


@contextmanager
def providing(site: str, folder: Path) -> Iterator[Provider]:
    """Run the provider for the site of this address until the end of the block."""
    modules, accounts = modules_of("oidc"), folder / "accounts.json"
    accounts.write_text("{}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    told = {"MODULES": str(modules), "PORT": str(port), "ACCOUNTS": str(accounts), "CALLBACK": site + CALLBACK}
    command = ["node", str(Path(__file__).with_name("oidc_provider.mjs"))]
    process = subprocess.Popen(
        command, env={**os.environ, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_up(port), "the provider is up")
        yield Provider(f"http://127.0.0.1:{port}", accounts)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)
