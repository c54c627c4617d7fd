"""Codes of second factors: allauth's forms, with limits that hold over all workers."""

import json
import struct
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
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django import forms
from django.contrib.auth.signals import user_login_failed

from aggregates.accounts import attempts
from aggregates.accounts.addresses import client_address
from aggregates.accounts.passkeys import logs_in_alone
from aggregates.accounts.sign_in import must_use_provider, provider_only_words
from aggregates.models import User
from aggregates.web.forms.refusals import refusal

ONLY_A_FACTOR = "This passkey is a second factor: log in with address and password, and it is asked for then."


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


LONGEST = 20_000  # characters of a passkey's answer, which has a few thousand: reading more takes too long
MALFORMED = (  # what reading answers raises that no browser makes
    ArithmeticError,
    AssertionError,
    AttributeError,
    InvalidSignature,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
    struct.error,
)


def _refuse(number: str) -> None:
    raise ValueError(number)


def _read(answer: str) -> Any:
    """Read a passkey's answer, which may be anything; raises one of MALFORMED.

    It is base64 and a few words, so it escapes nothing and has no fractions: what the database could not keep.
    """
    if len(answer) > LONGEST or "\\" in answer:
        raise ValueError(len(answer))
    return json.loads(answer, parse_float=_refuse, parse_constant=_refuse)


def _incorrect() -> forms.ValidationError:
    error: forms.ValidationError = get_adapter().validation_error("incorrect_passkey")
    return error


class _Answer:
    """A form with a passkey's answer: attempts count before it is looked at."""

    user: User | None
    fields: dict[str, forms.Field]
    cleaned_data: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = forms.CharField(required=False, widget=forms.HiddenInput)

    def admit(self) -> attempts.Keys:
        address = client_address(context.request.META)
        return attempts.admit_code(self.user.email, address) if self.user else attempts.admit_passkey(address)

    def clean_credential(self) -> Authenticator:
        try:
            counted = self.admit()
        except attempts.TooManyAttempts as error:
            raise refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds) from None
        try:
            self.cleaned_data["credential"] = _read(self.cleaned_data["credential"])
            found = super().clean_credential()  # type: ignore[misc]
        except (*MALFORMED, forms.ValidationError):  # whose words are those of a code
            raise _incorrect() from None
        attempts.give_back(counted)
        return found


class PasskeyForm(_Answer, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey at the log-in."""


class LogInPasskeyForm(_Answer, LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey in the place of address and password: it asked for a finger print or PIN, and says whose it is."""

    def clean_credential(self) -> Authenticator:
        try:
            found = super().clean_credential()
        except forms.ValidationError as error:
            if error.code != "refused":
                self._note_failure()
            raise
        if not found.user.is_active:
            self._note_failure(found.user)
            raise _incorrect()
        if not logs_in_alone(found):
            self._note_failure(found.user)
            raise forms.ValidationError(ONLY_A_FACTOR, code="second_factor")
        if organization := must_use_provider(found.user):
            raise forms.ValidationError(provider_only_words(organization), code="provider_only")
        return found

    def _note_failure(self, user: User | None = None) -> None:
        """Tell of it as of a wrong password; of the account only where the passkey proved to be its own."""
        credentials = {"email": user.email if user else ""}
        user_login_failed.send(__name__, credentials=credentials, request=context.request)


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
        self.fields["credential"] = forms.CharField(widget=forms.HiddenInput)
        self.label_suffix = ""

    def clean_credential(self) -> Any:
        """Read it; allauth looks at no answer that is empty."""
        try:
            answer = _read(self.cleaned_data["credential"])
        except MALFORMED:
            raise _incorrect() from None
        if not answer:
            raise _incorrect()
        return answer

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except (*MALFORMED, forms.ValidationError):
            raise _incorrect() from None
        return cleaned
