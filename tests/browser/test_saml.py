"""Sign-in with a real SAML provider at another host, in a real browser, which decides which cookies go along."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Page, Route, expect

from aggregates.models import Membership, Organization, User
from tests.browser.conftest import OpenPage, Watch
from tests.saml import CONSUME, assertion_in, providing, sent
from tests.web_server import WebServer

NOT_TAKEN = "What Acme ID sent is not what this site takes."
# Whom the provider speaks of as it should not, asked of samlp, and what they read then.
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "domain": ("elsewhere.example", {}, "Addresses of elsewhere.example do not sign in here with Acme ID."),
    "unsigned": ("example.com", {"signAssertion": False}, NOT_TAKEN),
    "audience": ("example.com", {"audience": "https://other.example/"}, NOT_TAKEN),
    "expired": ("example.com", {"lifetimeInSeconds": -3600}, NOT_TAKEN),
}
POST_AGAIN = """([address, name, value]) => {
  const form = document.createElement("form"), input = document.createElement("input");
  Object.assign(form, { method: "post", action: address });
  Object.assign(input, { name, value });
  form.append(input);
  document.body.append(form);
  form.submit();
}"""


def enter(page: Page, name: str) -> None:
    page.goto("/o/acme/keys/")
    page.get_by_role("link", name="Log in with Acme ID").click()
    page.get_by_label("Login").fill(name)
    page.get_by_role("button", name="Log in").click()


def expect_refusal(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    expect(page.get_by_text(words)).to_be_visible()


def test_signing_in_brings_the_role_of_a_group_and_nothing_else_gets_in(
    open_page: OpenPage, watch: Watch, usage: Organization, web_server: WebServer, settings: Any, tmp_path: Path
) -> None:
    settings.SSO_GROUPS = [("Finance", "acme", "admin")]
    watch.forgiven = ("Failed to load resource",)
    posted: list[str] = []

    def change(route: Route) -> None:
        posted.append(parse_qs(route.request.post_data or "")["SAMLResponse"][0])
        changed = assertion_in({"SAMLResponse": posted[-1]}).replace("dana@", "alice@")
        route.continue_(post_data=urlencode(sent(changed)) if len(posted) == 1 else route.request.post_data)

    with providing(web_server.url, tmp_path) as provider:
        provider.set_for(settings)
        page = open_page()
        for name, (domain, options, words) in WRONG.items():
            provider.says(name, options=options, email=f"dana@{domain}", groups=["Finance"])
            enter(page, name)
            expect_refusal(page, words)
        provider.says("dana", email="dana@example.com", groups=["Finance"])
        page.route(f"**{CONSUME}", change)
        enter(page, "dana")
        expect_refusal(page, NOT_TAKEN)
        assert not User.objects.filter(email="dana@example.com").exists()

        enter(page, "dana")
        expect(page.get_by_role("heading", name="API keys")).to_be_visible()
        assert Membership.objects.get(user__email="dana@example.com").role == "admin"

        page.unroute(f"**{CONSUME}")
        page.locator(".menu-account summary").click()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in to Usage")).to_be_visible()
        page.evaluate(POST_AGAIN, [CONSUME, "SAMLResponse", posted[-1]])
        expect_refusal(page, "This sign-in was cancelled, or it took too long.")
        watch.hosts = {host for host in watch.hosts if host != urlsplit(provider.entity).netloc}
