"""What a SAML provider's response has to be. This module alone needs the packages of requirements-saml.txt.

python3-saml checks signatures and whatever an assertion says; what one does not say, it does not miss.
"""

import time
from typing import Any

try:
    import xmlsec  # noqa: F401
except ImportError:
    raise
except Exception as error:  # as it says that it was built with another libxml2 than lxml
    raise ImportError(str(error)) from error
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.saml.utils import build_saml_config, build_sp_config, prepare_django_request
from allauth.socialaccount.providers.saml.views import FinishACSView
from django.core.cache import cache
from django.http import HttpRequest
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_ValidationError
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from aggregates.web.views.identity_providers import ASKED_AGAIN, Saml, digest

CONFIRMATION = (
    "/samlp:Response/saml:Assertion[@ID=$tagid]/saml:Subject"
    f"/saml:SubjectConfirmation[@Method='{OneLogin_Saml2_Constants.CM_BEARER}']/saml:SubjectConfirmationData"
)
DESCRIBED_FOR = 10 * 365 * 86_400  # seconds: providers keep a copy, and some refuse one that ran out
REASONS = {code: name for name, code in vars(OneLogin_Saml2_ValidationError).items() if isinstance(code, int)}


class Refused(Exception):
    """Nobody may be signed in by the response; the message names the reason, and nothing that was sent."""


class Response(OneLogin_Saml2_Response):  # type: ignore[misc]
    """A response whose signed assertion says for whom it is, where it goes, until when, and what it answers."""

    def is_valid(
        self, request_data: dict[str, Any], request_id: str | None = None, raise_exceptions: bool = True
    ) -> bool:
        super().is_valid(request_data, request_id, raise_exceptions=True)
        if not self.get_audiences():
            raise Refused("NO_AUDIENCE")
        answers = self.get_in_response_to()
        if not answers:
            raise Refused("UNSOLICITED")
        expected = (answers, self._settings.get_sp_data()["assertionConsumerService"]["url"])
        found = OneLogin_Saml2_XML.query(self.get_xml_document(), CONFIRMATION, None, self.get_assertion_id())
        if not found or any(
            (data.get("InResponseTo"), data.get("Recipient")) != expected or not data.get("NotOnOrAfter")
            for data in found
        ):
            raise Refused("INCOMPLETE_SUBJECTCONFIRMATION")
        return True


class Finish(FinishACSView):  # type: ignore[misc]
    """Signs in by what `check` has taken: nothing else is in the session that it reads, and it checks less itself."""

    def get_provider(self, organization_slug: str) -> Saml:
        return provider_for(self.request)


def connect(request: HttpRequest) -> OneLogin_Saml2_Auth:
    """Make what asks the provider and checks its responses. Raises ValueError where its metadata is not to be had, and
    as Django does where the request itself cannot be read."""
    request.META.setdefault("HTTP_HOST", request.get_host())  # which allauth expects
    provider = provider_for(request)
    failed = f"saml-failed-{digest(repr(provider.app.settings['idp']))}"
    if cache.get(failed):
        raise ValueError("It was asked just now, and did not answer.")
    asked = prepare_django_request(request)  # not below: what is wrong with it is no fault of the provider's
    try:
        auth = OneLogin_Saml2_Auth(asked, build_saml_config(request, provider.app.settings, provider.app.client_id))
    except Exception as error:  # which the library says in any number of ways
        cache.set(failed, True, ASKED_AGAIN)
        raise ValueError(type(error).__name__) from error
    auth.response_class = Response
    return auth


def check(auth: OneLogin_Saml2_Auth) -> None:
    """Raises Refused, whatever a stranger sent."""
    try:
        auth.process_response()
    except Refused:
        raise
    except OneLogin_Saml2_ValidationError as error:
        raise Refused(REASONS.get(error.code, "INVALID")) from None
    except Exception as error:
        raise Refused(type(error).__name__) from None


def describe_site(request: HttpRequest) -> bytes:
    """Write the metadata of this site: who it is, and where responses go."""
    provider = provider_for(request)
    site = build_sp_config(request, provider.app.settings, provider.app.client_id)
    del site["singleLogoutService"]
    until = int(time.time()) + DESCRIBED_FOR
    wanted = {"wantAssertionsSigned": True, "allowSingleLabelDomains": True, "metadataValidUntil": until}
    known = OneLogin_Saml2_Settings({"strict": True, "sp": site, "security": wanted}, sp_validation_only=True)
    written: bytes = known.get_sp_metadata()
    return written


def provider_for(request: HttpRequest) -> Saml:
    provider: Saml = get_adapter().get_provider(request, "saml")
    return provider
