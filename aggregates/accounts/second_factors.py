"""Second factors: allauth's, with secrets that the database alone does not give away."""

from base64 import urlsafe_b64encode

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac

UNREADABLE = (
    "This account’s second factor was set up under another secret key of the site: whoever runs the site removes it."
)


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]
    """What allauth asks this site of second factors."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This is not the code of now, or it was used already.",
        "incorrect_passkey": "This passkey could not be checked: try again.",
        "cannot_generate_recovery_codes": "Recovery codes are for accounts with an authenticator app or a passkey.",
    }

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises ValidationError where the site had another secret key."""
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise ValidationError(UNREADABLE, code="unreadable") from None

    def get_totp_issuer(self) -> str:
        return f"Usage ({self._get_site_name()})"


def _cipher() -> Fernet:
    """Encrypt with a key that is derived from the site's."""
    key = salted_hmac("second factors", "", algorithm="sha256").digest()
    return Fernet(urlsafe_b64encode(key))
