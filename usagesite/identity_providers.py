"""What allauth has to know of the identity provider that people sign in with."""

from typing import Any

Providers = dict[str, dict[str, Any]]

# Attributes that providers name people by for ever, and their e-mail addresses; a NameID does where there are none.
SUBJECTS = ["urn:oasis:names:tc:SAML:attribute:subject-id", "urn:oasis:names:tc:SAML:attribute:pairwise-id"]
ADDRESSES = [
    "email",
    "mail",
    "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
]
CONFIRMED = ["email_verified", "http://schemas.auth0.com/email_verified"]


def openid_connect(issuer: str, name: str, client_id: str, secret: str) -> Providers:
    reached = {"server_url": issuer, "oauth_pkce_enabled": True}
    app = {"provider_id": "oidc", "name": name, "client_id": client_id, "secret": secret, "settings": reached}
    return {"openid_connect": {"APPS": [app]}}


def saml(name: str, reached: dict[str, Any], email_attribute: str = "") -> Providers:
    """Describe a SAML provider, which is reached by metadata, or by an address and a certificate."""
    told = {
        "idp": {"metadata_request_timeout": 5, "metadata_cache_timeout": 3600, **reached},  # seconds
        "attribute_mapping": {
            "uid": SUBJECTS,
            "email": [email_attribute] if email_attribute else ADDRESSES,
            "email_verified": CONFIRMED,
        },
        "advanced": {
            "want_assertion_signed": True,
            "want_attribute_statement": False,  # a NameID may be all that is needed
            "allow_single_label_domains": True,  # as within a company
        },
    }
    return {"saml": {"APPS": [{"provider_id": "saml", "name": name, "client_id": "saml", "settings": told}]}}
