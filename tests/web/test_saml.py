"""Sign-in with a real SAML provider: who gets an account, and that only what it said is taken, here, now and once."""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from aggregates.accounts.attempts import SIGN_INS_OF_ADDRESS, admit_sign_in
from aggregates.models import AuditEntry, Event, Membership, Organization, Role, User
from aggregates.ops.allowances import FORM
from aggregates.ops.checks.configuration import packages_of_saml
from aggregates.web import views
from aggregates.web.views.saml import KEPT_FOR
from tests.saml import BEGIN, CONSUME, FINISH, Provider, assertion_in, providing, sent
from usagesite import env
from usagesite.server.application import allowance_for

SITE = "http://testserver"
ME, ACS = f"{SITE}/login/with/saml/metadata/", f"{SITE}{CONSUME}"
PASSWORD = "correct horse"
GENUINE = {"email": "dana@example.com", "groups": ["staff", "finance"]}
Form = dict[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with providing(SITE, tmp_path_factory.mktemp("saml")) as made:
        yield made


@pytest.fixture
def provider(server: Provider, settings: Any) -> Provider:
    server.set_for(settings)
    return server


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def answer_for(provider: Provider, client: Client, name: str, query: str = "") -> Form:
    """Begin to sign in, and have the provider answer; what it would have the browser post."""
    begun = client.get(f"{BEGIN}{query}")
    assert begun.status_code == 302, begun.content
    return provider.log_in(begun["Location"], name)


def post(client: Client, form: Form) -> Any:
    """Post it as a browser does that comes from another site: the session's cookie stays at home."""
    kept = client.cookies.pop("sessionid", None)
    answer = client.post(CONSUME, form)
    if kept:
        client.cookies["sessionid"] = kept
    return client.get(answer["Location"]) if answer.status_code == 302 else answer


def sign_in(provider: Provider, client: Client, name: str, query: str = "") -> Any:
    return post(client, answer_for(provider, client, name, query))


def role_of(email: str, organization: Organization) -> str | None:
    place = Membership.objects.filter(user__email=email, organization=organization)
    return place.values_list("role", flat=True).first()


def test_the_first_sign_in_makes_an_account_and_groups_are_roles(
    provider: Provider, settings: Any, client: Client, acme: Organization, other: Organization
) -> None:
    settings.SSO_DOMAINS = [("example.com", "other", "viewer")]
    settings.SSO_GROUPS = [("staff", "acme", "viewer"), ("finance", "acme", "admin")]
    provider.says("d-1", **GENUINE)

    assert f'href="{BEGIN}?next=/o/acme/"' in client.get("/login/?next=/o/acme/").content.decode()
    assert sign_in(provider, client, "d-1", "?next=/o/acme/")["Location"] == "/o/acme/"

    user = User.objects.get(email="dana@example.com")
    assert not user.has_usable_password()
    assert (role_of(user.email, acme), role_of(user.email, other)) == (Role.ADMIN, Role.VIEWER)
    assert client.get("/o/acme/").status_code == 200
    assert SocialAccount.objects.get().extra_data == {}
    assert Session.objects.count() == 1, "what the provider sent is gone"

    provider.says("d-1", email="dana@example.com", groups="staff")
    sign_in(provider, Client(), "d-1")
    assert role_of(user.email, acme) == Role.VIEWER
    provider.says("d-1", email="dana@example.com")
    sign_in(provider, Client(), "d-1")
    assert (role_of(user.email, acme), role_of(user.email, other)) == (None, Role.VIEWER)
    assert User.objects.count() == 1


def test_what_is_posted_is_small_and_kept_for_a_moment(provider: Provider, client: Client, db: None) -> None:
    assert allowance_for(CONSUME).largest == FORM
    provider.says("d-6", **GENUINE)
    answer = client.post(CONSUME, answer_for(provider, client, "d-6"))
    (kept,) = (session for session in Session.objects.all() if "request" in session.get_decoded())
    assert kept.expire_date <= timezone.now() + timedelta(seconds=KEPT_FOR)
    (cookie,) = answer.cookies.values()
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (FINISH, True, "Lax")


def test_an_account_that_there_is_becomes_the_providers(provider: Provider, client: Client, alice: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    provider.says("a-1", name_id="ALICE@example.com", name_id_format=Names.NAMEID_EMAIL_ADDRESS, department="money")

    assert sign_in(provider, client, "a-1", "?next=https://elsewhere.example/")["Location"] == "/"

    assert client.get("/o/acme/").status_code == 200
    assert elsewhere.get("/o/acme/").status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert AuditEntry.objects.filter(event=Event.PROVIDER_CONNECTED, object_id=alice.pk, user_id=alice.pk).exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"email": "eve@elsewhere.example"}, "Addresses of elsewhere.example do not sign in"),
        ({"department": "money"}, "did not say what your e-mail address is"),
        ({"email": "staff@example.com"}, "log in with their password"),
        ({"email": "bob@example.com"}, "may no longer log in"),
        ({"email": "dana@example.com", "name_id_format": Names.NAMEID_TRANSIENT}, "by a name that lasts"),
        ({"email": "dana@example.com", "confirmed": False}, "did not confirm that dana@example.com is yours"),
    ],
)
def test_whom_the_provider_does_not_speak_for_stays_outside(
    provider: Provider, settings: Any, client: Client, bob: User, staff: User, said: dict[str, Any], words: str
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    settings.SSO_EMAILS_CONFIRMED = said.pop("confirmed", True)
    provider.says("e-1", **said)

    answer = sign_in(provider, client, "e-1")

    assert (answer.status_code, words in answer.content.decode()) == (403, True), answer.content
    assert client.get("/o/acme/").status_code == 302
    assert User.objects.count() == 2
    assert not SocialAccount.objects.exists()


def test_what_is_sent_again_is_not_taken_again(provider: Provider, client: Client, alice: User) -> None:
    provider.says("a-2", email=alice.email)
    form = answer_for(provider, client, "a-2")
    assert post(client, form)["Location"] == "/"

    for again in (client, Client()):
        again.post("/logout/")
        again.cookies.pop("sessionid", None)
        assert post(again, form).status_code == 401
        assert again.get("/o/acme/").status_code == 302
    begun = Client()
    begun.get(BEGIN)
    assert post(begun, form).status_code == 401, "it answers what another session began"
    assert client.get(FINISH).status_code == 401


def signed(provider: Provider, form: Form, change: Callable[[str], str]) -> Form:
    """What the provider would say with this change of its assertion, signed with its own key."""
    response = assertion_in(form)
    genuine = re.search(r"<saml:Assertion.*</saml:Assertion>", response, re.DOTALL)
    assert genuine
    bare = re.sub(r"<Signature.*</Signature>", "", genuine[0], flags=re.DOTALL)
    changed = change(bare)
    assert changed != bare
    key, certificate = provider.key.read_text(), provider.certificate.read_text()
    done = OneLogin_Saml2_Utils.add_sign(changed, key, certificate, sign_algorithm=Names.RSA_SHA256)
    return sent(response.replace(genuine[0], done.decode()))


def without(pattern: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, "", text, flags=re.DOTALL)


def instead(pattern: str, other: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, other, text)


IN_THE_PAST = r'\1="2020-01-01T00:00:00Z"'
# What an assertion says that is signed all right, and why it is not taken.
SIGNED = {
    "another audience": (instead(r"(<saml:Audience>)[^<]+", r"\1https://other.example/"), "WRONG_AUDIENCE"),
    "no audience": (without("<saml:AudienceRestriction>.*</saml:AudienceRestriction>"), "NO_AUDIENCE"),
    "expired": (instead(r'(?<=Z" )(NotOnOrAfter)="[^"]+"(?=>)', IN_THE_PAST), "ASSERTION_EXPIRED"),
    "an answer that is late": (instead(r'(NotOnOrAfter)="[^"]+"(?= Recip)', IN_THE_PAST), "WRONG_SUBJECTCONFIRMATION"),
    "an answer without an end": (without(r'NotOnOrAfter="[^"]+"(?= Recip)'), "INCOMPLETE_SUBJECTCONFIRMATION"),
    "another recipient": (
        instead('Recipient="[^"]+', 'Recipient="https://other.example/'),
        "WRONG_SUBJECTCONFIRMATION",
    ),
    "no recipient": (without('Recipient="[^"]+"'), "INCOMPLETE_SUBJECTCONFIRMATION"),
    "to another request": (instead('InResponseTo="[^"]+', 'InResponseTo="_other'), "WRONG_SUBJECTCONFIRMATION"),
    "to no request": (without(' InResponseTo="[^"]+"'), "INCOMPLETE_SUBJECTCONFIRMATION"),
    "another issuer": (instead("(<saml:Issuer>)[^<]+", r"\1https://other.example"), "WRONG_ISSUER"),
}
ENTITY = '<!DOCTYPE r [<!ENTITY who SYSTEM "file:///etc/passwd">]>'
# What is done to a response on its way, and why it is not taken.
CHANGED = {
    "another address": (lambda text: text.replace("dana@", "alice@"), "INVALID_SIGNATURE"),
    "unsigned": (without("<Signature.*</Signature>"), "NO_SIGNED_ASSERTION"),
    "an assertion before the signed one": (
        lambda text: re.sub(
            r"(<saml:Assertion.*</saml:Assertion>)",
            lambda found: re.sub("<Signature.*</Signature>", "", found[1], flags=re.DOTALL) + found[1],
            text,
            flags=re.DOTALL,
        ),
        "WRONG_NUMBER_OF_ASSERTIONS",
    ),
    "for another site": (instead('Destination="[^"]+', 'Destination="https://other.example/'), "WRONG_DESTINATION"),
    "to another request": (
        instead('(<samlp:Response[^>]*InResponseTo)="[^"]+', r'\1="_other'),
        "WRONG_SUBJECTCONFIRMATION",
    ),
    "to no request": (instead('(<samlp:Response[^>]*) InResponseTo="[^"]+"', r"\1"), "UNSOLICITED"),
    "with an entity": (lambda text: ENTITY + text.replace("dana@", "&who;@"), "DTDForbidden"),
    "a failure": (instead("status:Success", "status:Responder"), "STATUS_CODE_IS_NOT_SUCCESS"),
    "no response": (lambda text: "<r/>", "UNSUPPORTED_SAML_VERSION"),
    "no XML": (lambda text: "dana@example.com", "XMLSyntaxError"),
}


def test_what_the_provider_did_not_say_for_here_and_now_is_not_taken(
    provider: Provider, client: Client, acme: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    provider.says("d-2", **GENUINE)
    form = answer_for(provider, client, "d-2")
    wrong = [(name, signed(provider, form, change), why) for name, (change, why) in SIGNED.items()]
    wrong += [(name, sent(change(assertion_in(form))), why) for name, (change, why) in CHANGED.items()]
    wrong += [("not even base64", {"SAMLResponse": "é"}, "ValueError"), ("nothing", {}, "OneLogin_Saml2_Error")]
    kept, found = Session.objects.count(), []
    for name, sent_form, _ in wrong:
        caplog.clear()
        answer = post(client, sent_form)
        assert (answer.status_code, Session.objects.count()) == (401, kept), name
        assert "You are not signed in" in answer.content.decode()
        found += [(name, line.getMessage()) for line in caplog.records if line.name == "aggregates.web.views.saml"]

    assert found == [(name, f"A sign-in failed: {why}") for name, _, why in wrong]
    assert not User.objects.filter(email="dana@example.com").exists()
    assert post(client, form)["Location"] == "/", "which was good all the while"


@pytest.mark.parametrize(
    "options",
    [
        {"signAssertion": False, "signResponse": True},
        {"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1"},  # which proves nothing any longer
    ],
)
def test_the_assertion_itself_is_signed_and_as_is_done_today(
    provider: Provider, client: Client, db: None, options: dict[str, Any]
) -> None:
    provider.says("d-3", options=options, **GENUINE)
    form = answer_for(provider, client, "d-3")
    assert assertion_in(form).count("<SignedInfo") == 1
    assert post(client, form).status_code == 401
    provider.says("d-3", options={"signResponse": True}, **GENUINE)
    assert sign_in(provider, client, "d-3")["Location"] == "/"


def test_posts_without_a_token_are_taken_at_one_address(provider: Provider, client: Client, alice: User) -> None:
    assert post(client, {}).status_code == 401
    for address in ("/login/", FINISH, BEGIN, f"{BEGIN}callback/", f"{BEGIN}metadata/"):
        assert client.post(address, {}).status_code in (403, 404, 405), address
    for _ in range(SIGN_INS_OF_ADDRESS.most - 1):
        admit_sign_in("127.0.0.1")
    assert post(client, {}).status_code == 429


def test_an_organization_may_have_no_other_way_in(
    provider: Provider, settings: Any, client: Client, acme: Organization, alice: User
) -> None:
    provider.says("a-4", email=alice.email)
    client.force_login(alice)
    settings.SSO_ONLY = ["acme"]
    refused = Client().post("/login/", {"login": alice.email, "password": PASSWORD})
    assert "Acme lets its members in with Acme ID only." in refused.content.decode()

    asked = client.get("/o/acme/keys/?kind=read")["Location"]
    assert asked.startswith(f"{BEGIN}?next=")
    back = post(client, provider.log_in(client.get(asked)["Location"], "a-4"))

    assert back["Location"] == "/o/acme/keys/?kind=read"
    assert client.get(back["Location"]).status_code == 200


def test_the_site_describes_itself(provider: Provider, client: Client, db: None) -> None:
    answer = client.get(f"{BEGIN}metadata/")
    described = answer.content.decode()
    assert answer["Content-Type"] == "application/samlmetadata+xml"
    assert (f'entityID="{ME}"' in described, f'Location="{ACS}"' in described) == (True, True)
    assert 'WantAssertionsSigned="true"' in described
    assert "SingleLogoutService" not in described
    assert int(re.findall(r'validUntil="(\d+)-', described)[0]) > timezone.now().year + 8, "which providers keep"
    begun = urlsplit(client.get(BEGIN)["Location"])
    asked = OneLogin_Saml2_Utils.decode_base64_and_inflate(parse_qs(begun.query)["SAMLRequest"][0]).decode()
    assert (f"{begun.scheme}://{begun.netloc}", begun.path) == (provider.entity, "/sso")
    assert f'AssertionConsumerServiceURL="{ACS}"' in asked


def test_a_provider_is_known_by_a_file_or_by_a_certificate_too(
    provider: Provider, settings: Any, client: Client, db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.says("d-5", **GENUINE)
    file = tmp_path / "provider’s metadata.xml"
    file.write_text(requests.get(f"{provider.entity}/metadata", timeout=60).text)
    monkeypatch.setenv("SAML_METADATA", str(file))
    monkeypatch.setenv("SAML_CERTIFICATE", str(provider.certificate))

    provider.set_for(settings, metadata_url=env.metadata("SAML_METADATA"), entity_id=provider.entity)
    assert sign_in(provider, client, "d-5")["Location"] == "/"
    given = {"entity_id": provider.entity, "sso_url": f"{provider.entity}/sso"}
    provider.set_for(settings, **given, x509cert=env.certificate("SAML_CERTIFICATE"))
    assert sign_in(provider, Client(), "d-5")["Location"] == "/"
    assert SocialAccount.objects.count() == 1


def test_a_provider_that_is_down_is_said_to_be_and_not_asked_at_once_again(
    provider: Provider, settings: Any, client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.set_for(settings, metadata_url="http://127.0.0.1:9", entity_id="")
    for address in (BEGIN, FINISH):
        answer = client.get(address)
        assert (answer.status_code, "Acme ID does not answer as it should" in answer.content.decode()) == (502, True)
        monkeypatch.setattr(
            "urllib.request.urlopen", lambda *_, **__: pytest.fail("strangers may ask any number of times")
        )
    assert post(client, {"SAMLResponse": "x"}).status_code == 502


@pytest.mark.parametrize("query", ["a&" * 1_001, "%00=1&" * 1_001])
def test_what_cannot_be_read_is_no_fault_of_the_providers(
    provider: Provider, client: Client, db: None, query: str
) -> None:
    assert client.get(f"{BEGIN}?{query}").status_code == 400
    assert client.post(CONSUME, "x", content_type="multipart/form-data").status_code == 400
    assert client.get(BEGIN).status_code == 302  # it is asked as before


def test_packages_that_do_not_fit_each_other_are_said_to_be_wrong(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xmlsec says with an error of its own that it was built with another libxml2."""

    class Unfit:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "xmlsec":
                raise RuntimeError("lxml & xmlsec libxml2 library version mismatch")

    settings.SSO_PROVIDER = "saml"
    for name in [name for name in sys.modules if name.startswith(("onelogin", "xmlsec"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "aggregates.web.views.saml_responses", raising=False)
    monkeypatch.delattr(views, "saml_responses", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Unfit(), *sys.meta_path])

    (found,) = packages_of_saml(None)

    assert "mismatch" in found.msg
    with pytest.raises(ImportError, match="mismatch"):
        import_module("aggregates.web.views.saml_responses")


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "address"), [("get", BEGIN), ("post", CONSUME), ("get", f"{BEGIN}metadata/")])
def test_without_its_packages_nobody_signs_in_and_the_site_says_so(
    settings: Any, client: Client, monkeypatch: pytest.MonkeyPatch, method: str, address: str
) -> None:
    settings.SSO_PROVIDER = "saml"
    for name in [name for name in sys.modules if name.startswith("onelogin") or name.endswith("saml_responses")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(views, "saml_responses", raising=False)
    monkeypatch.setitem(sys.modules, "onelogin", None)
    answer = getattr(client, method)(address)
    assert (answer.status_code, "does not answer as it should" in answer.content.decode()) == (502, True)


def test_without_its_packages_a_check_says_what_to_install(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SSO_PROVIDER = "saml"
    assert packages_of_saml(None) == []
    for name in [name for name in sys.modules if name.startswith("onelogin")]:
        monkeypatch.setitem(sys.modules, name, None)
    (found,) = packages_of_saml(None)
    assert (found.id, "requirements-saml.lock" in str(found.hint)) == ("aggregates.E007", True)
    settings.SSO_PROVIDER = "oidc"
    assert packages_of_saml(None) == []
