"""Log-in, log-out and passwords: allauth's pages, with limits that hold over all workers."""

from http import HTTPStatus
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    PasswordResetDoneView,
    PasswordResetFromKeyDoneView,
    PasswordResetFromKeyView,
)
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import FormView

from aggregates.accounts import attempts
from aggregates.accounts.access import organizations_of
from aggregates.accounts.addresses import client_address
from aggregates.models import User
from aggregates.ops import mail
from aggregates.web.forms.log_in import LogInForm, NewPasswordForm, PasswordForm, ResetForm

MISMATCH = "This e-mail address and password do not belong together. Mind capital letters in the password."


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """What allauth asks this site."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": MISMATCH,
        "enter_current_password": "This is not your current password.",
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Check a password, unless that was tried too often. Only in the one thread of Lane.DOOR: hashing takes a
        processor half a second."""
        account = credentials.get("email") or credentials.get("username") or ""
        try:
            counted = attempts.admit(account, self.get_client_ip(request))
        except attempts.TooManyAttempts as error:
            raise refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds) from None
        user: User | None = super().authenticate(request, **credentials)
        if user:
            attempts.give_back(counted)
        return user

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request.META)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        """Say no: pages are for people, programs have keys."""
        return False


def refusal(error: Exception, status: HTTPStatus, seconds: int) -> ValidationError:
    """Make a form's error of it, which the view of the form answers with this status."""
    return ValidationError(str(error), code="refused", params={"status": status, "seconds": seconds})


class Refusing:
    """A view of a form that answers refusals with their status; the form says why."""

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        for error in (error for errors in form.errors.as_data().values() for error in errors):
            if error.code == "refused" and error.params:
                response.status_code = error.params["status"]
                response["Retry-After"] = str(error.params["seconds"])
        return response


class LogIn(Refusing, LoginView):  # type: ignore[misc]
    form_class = LogInForm
    template_name = "account/login.html"


class LogOut(LogoutView):  # type: ignore[misc]
    http_method_names = ["post"]


class Password(Refusing, PasswordChangeView):  # type: ignore[misc]
    form_class = PasswordForm
    template_name = "account/password.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """Add what the header shows."""
        shown: dict[str, Any] = super().get_context_data(**context)
        return {**shown, "organizations": organizations_of(self.request.user)}


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
