"""The identity provider of the settings, as allauth asks for it. Of what it says only whose account it is, is kept."""

import hashlib
from typing import Any

from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.conf import settings
from django.http import HttpRequest

from aggregates.accounts.sign_in import NotAdmitted

ASKED_AGAIN = 5  # seconds after which one that does not answer is asked again: strangers may begin any number of times
# A NameID of this kind is another one at each sign-in.
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


class OpenIDConnect(OpenIDConnectProvider):  # type: ignore[misc]
    def get_default_scope(self) -> list[str]:
        return list(settings.OIDC_SCOPES)

    def extract_uid(self, data: dict[str, Any]) -> str:
        """Name somebody by issuer and subject: another provider may have the same subject for somebody else."""
        subjects = {str(claims["sub"]) for claims in data.values()}
        if len(subjects) != 1:
            raise OAuth2Error("The ID token and the provider's answer are about different people.")
        return digest(f"{settings.OIDC_ISSUER} {subjects.pop()}")

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def sociallogin_from_response(self, request: HttpRequest, response: dict[str, Any]) -> SocialLogin:
        login = super().sociallogin_from_response(request, response)
        claims = {**response.get("id_token", {}), **response.get("userinfo", {})}
        login.claims = {**claims, "groups": claims.get(settings.OIDC_GROUPS_CLAIM)}
        return login


class Saml(SAMLProvider):  # type: ignore[misc]
    def extract_uid(self, data: Any) -> str:
        """Name somebody by the provider's entity ID and an attribute that lasts, or the NameID. Raises NotAdmitted."""
        subject = super().extract_uid(data)
        is_passing = subject == data.get_nameid() and data.get_nameid_format() == TRANSIENT
        if not isinstance(subject, str) or not subject or is_passing:
            raise NotAdmitted(f"{settings.SSO_NAME} did not say who you are by a name that lasts.")
        return digest(f"{data.get_settings().get_idp_data()['entityId']} {subject}")

    def extract_extra_data(self, data: Any) -> dict[str, Any]:
        return {}

    def sociallogin_from_response(self, request: HttpRequest, response: Any) -> SocialLogin:
        login = super().sociallogin_from_response(request, response)
        groups = response.get_attributes().get(settings.SAML_GROUPS_ATTRIBUTE)
        login.claims = {**self.extract_common_fields(response), "groups": groups}
        return login


PROVIDERS: dict[str, type[OpenIDConnect | Saml]] = {"openid_connect": OpenIDConnect, "saml": Saml}


def provider_of(request: HttpRequest, app: SocialApp) -> OpenIDConnect | Saml:
    return PROVIDERS[app.provider](request, app=app)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
