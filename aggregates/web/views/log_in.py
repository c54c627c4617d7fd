"""Log-in, log-out and passwords: allauth's pages, with limits that hold over all workers."""

from http import HTTPStatus
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    PasswordResetDoneView,
    PasswordResetFromKeyDoneView,
    PasswordResetFromKeyView,
)
from allauth.mfa.webauthn.internal.auth import begin_authentication
from allauth.mfa.webauthn.views import LoginWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import FormView

from aggregates.accounts import attempts, email_addresses, first_account
from aggregates.accounts.addresses import client_address
from aggregates.accounts.email_addresses import CannotChange
from aggregates.accounts.open_sessions import NO_ADDRESS
from aggregates.accounts.sign_in import must_use_provider, provider_only_words
from aggregates.domain.texts import shown
from aggregates.models import User
from aggregates.ops import mail
from aggregates.web.forms.log_in import LogInForm, NewPasswordForm, PasswordForm, ResetForm
from aggregates.web.forms.refusals import Refusing, refusal
from aggregates.web.forms.second_factors import LogInPasskeyForm
from aggregates.web.views.account import OfAccount

ADDRESS_CHANGED = "account/email/email_changed"
MISMATCH = "This e-mail address and password do not belong together. Mind capital letters in the password."


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """What allauth asks this site."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": MISMATCH,
        "duplicate_email": "This is the address of your account already.",
        "enter_current_password": "This is not your current password.",
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Check a password, unless that was tried too often. Only in the one thread of Lane.DOOR: hashing takes a
        processor half a second."""
        account = credentials.get("email") or credentials.get("username") or ""
        try:
            counted = attempts.admit(account, client_address(request.META))
        except attempts.TooManyAttempts as error:
            raise refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds) from None
        user: User | None = super().authenticate(request, **credentials)
        if user:
            attempts.give_back(counted)
            if organization := must_use_provider(user):
                raise ValidationError(provider_only_words(organization), code="provider_only")
        return user

    def set_password(self, user: User, password: str) -> None:
        """Save nothing but the password: the address may be another one by now."""
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_client_ip(self, request: HttpRequest) -> str:
        """Name the address for allauth, which notes it of sessions and needs one."""
        return client_address(request.META) or NO_ADDRESS

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Take a new address, in one transaction with what tells of it; raises CannotChange."""
        try:
            with transaction.atomic():
                wanted = email_addresses.lock_wanted(email_address)
                changed: bool = super().confirm_email(request, wanted)
                if changed:
                    email_addresses.note_changed(wanted.user)
        except IntegrityError:  # somebody else took it just now
            raise CannotChange(f"{shown(email_address.email)} is the address of another account.") from None
        return changed

    def send_confirmation_mail(self, request: HttpRequest, emailconfirmation: Any, signup: bool) -> None:
        mail.request_confirmation(emailconfirmation.email_address, request.build_absolute_uri(reverse("home")))

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tell the old address that there is a new one; of what else allauth would tell, the audit log does."""
        if template_prefix == ADDRESS_CHANGED and context and settings.SENDS_MAIL:
            mail.request_notice(context["from_email"], context["to_email"])

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Say no: pages are for people, programs have keys."""
        return False


class LogIn(Refusing, LoginView):  # type: ignore[misc]
    form_class = LogInForm
    template_name = "account/login.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        provider = {"provider_id": settings.SSO_PROVIDER, "provider": settings.SSO_PROVIDER and settings.SSO_NAME}
        return {**super().get_context_data(**context), **provider, "is_new": first_account.is_open()}


class LogInWithPasskey(LoginWebAuthnView):  # type: ignore[misc]
    """Log in with a passkey alone: the browser asks here for what to sign, and sends it here."""

    form_class = LogInPasskeyForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            attempts.admit_sign_in(client_address(request.META))
        except attempts.TooManyAttempts as error:
            return HttpResponse(f"{error}\n", status=HTTPStatus.TOO_MANY_REQUESTS, content_type="text/plain")
        return JsonResponse({"request_options": begin_authentication(user=None)})

    def form_invalid(self, form: LogInPasskeyForm) -> HttpResponse:
        """Say what is wrong on the page for the log-in, which still leads to where one wanted to."""
        for problem in form.errors.get("credential", []):
            messages.error(self.request, problem)
        return redirect_to_login(get_next_redirect_url(self.request) or reverse("home"))


class LogOut(LogoutView):  # type: ignore[misc]
    http_method_names = ["post"]


class Password(OfAccount, Refusing, PasswordChangeView):  # type: ignore[misc]
    form_class = PasswordForm
    template_name = "account/password.html"
    tab = "password"

    def is_of_use(self, user: User) -> bool:
        """Say whether the account has a password to change."""
        return user.has_usable_password()


class Reset(Refusing, FormView):  # type: ignore[type-arg]
    """Ask for a mail; where the site sends none, say who helps."""

    form_class = ResetForm
    template_name = "account/reset.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(**context) | {"sends_mail": settings.SENDS_MAIL}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().post(request, *args, **kwargs) if settings.SENDS_MAIL else self.get(request, *args, **kwargs)

    def form_valid(self, form: ResetForm) -> HttpResponse:
        email = form.cleaned_data["email"]
        try:
            attempts.admit_reset(email, client_address(self.request.META))
        except attempts.TooManyAttempts as error:
            form.add_error(None, refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds))
            return self.form_invalid(form)
        mail.request_reset(email, self.request.build_absolute_uri(reverse("home")))
        return redirect("account_reset_password_done")


class ResetSent(PasswordResetDoneView):  # type: ignore[misc]
    template_name = "account/reset_sent.html"


class NewPassword(PasswordResetFromKeyView):  # type: ignore[misc]
    form_class = NewPasswordForm
    template_name = "account/new_password.html"


class NewPasswordSet(PasswordResetFromKeyDoneView):  # type: ignore[misc]
    template_name = "account/new_password_set.html"
