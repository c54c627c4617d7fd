"""Codes of second factors: allauth's forms, with limits that hold over all workers."""

from http import HTTPStatus
from typing import Any

from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature
from django import forms

from aggregates.accounts import attempts
from aggregates.accounts.addresses import client_address
from aggregates.accounts.sign_in import must_use_provider, provider_only_words
from aggregates.models import User
from aggregates.web.forms.refusals import refusal


class _Counted:
    """A form with a code: attempts count before it is looked at, and a code is good once, whichever worker looks."""

    user: User
    fields: dict[str, forms.Field]
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label, field.max_length = "Code", 32  # type: ignore[attr-defined]
        field.widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        self.label_suffix = ""

    def clean_code(self) -> str:
        address = client_address(context.request.META)
        try:
            counted = attempts.admit_code(self.user.email, address)
        except attempts.TooManyAttempts as error:
            raise refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds) from None
        code: str = super().clean_code()  # type: ignore[misc]
        if not attempts.use_code(self.user.email, code):
            raise get_adapter().validation_error("incorrect_code")
        attempts.give_back(counted)
        return code


class CodeForm(_Counted, AuthenticateForm):  # type: ignore[misc]
    """A code at the log-in."""


class ConfirmCodeForm(_Counted, ReauthenticateForm):  # type: ignore[misc]
    """A code before something that whoever finds an open session must not do."""


class AddAppForm(_Counted, ActivateTOTPForm):  # type: ignore[misc]
    """A first code of an authenticator app, which shows that it has the secret."""


MALFORMED = (AttributeError, InvalidSignature, LookupError, TypeError)  # of answers that no browser makes


class _Answer:
    """A form with a passkey's answer, which may be anything."""

    user: User | None

    def admit(self) -> attempts.Keys:
        address = client_address(context.request.META)
        return attempts.admit_code(self.user.email, address) if self.user else attempts.admit_passkey(address)

    def clean_credential(self) -> Authenticator:
        try:
            counted = self.admit()
        except attempts.TooManyAttempts as error:
            raise refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds) from None
        try:
            found = super().clean_credential()  # type: ignore[misc]
        except MALFORMED:
            raise get_adapter().validation_error("incorrect_passkey") from None
        attempts.give_back(counted)
        return found


class PasskeyForm(_Answer, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey at the log-in."""


class LogInPasskeyForm(_Answer, LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey in the place of address and password: it asked for a finger print or PIN, and says whose it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = get_adapter().error_messages["incorrect_passkey"]
        self.fields["credential"].error_messages |= dict.fromkeys(("required", "invalid"), words)

    def clean_credential(self) -> Authenticator:
        found = super().clean_credential()
        if not found.user.is_active:
            raise get_adapter().validation_error("incorrect_passkey")
        if organization := must_use_provider(found.user):
            raise forms.ValidationError(provider_only_words(organization), code="provider_only")
        return found


class ConfirmPasskeyForm(_Answer, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey before something that whoever finds an open session must not do."""


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A new passkey, and what its owner calls it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label, self.fields["name"].initial = "Name", ""
        self.fields["name"].max_length = 100
        self.fields["name"].widget.attrs = {"maxlength": 100, "placeholder": "Such as laptop, or key ring"}
        self.initial["name"] = ""
        self.fields["passwordless"].label = "Log in with it alone"
        self.label_suffix = ""

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except (*MALFORMED, ValueError):
            raise get_adapter().validation_error("incorrect_passkey") from None
        return cleaned
