"""One's own account: second factors, and the sessions that are open. Passwords are in log_in."""

from typing import Any

from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal.flows import add_authenticator
from allauth.mfa.webauthn.views import AddWebAuthnView, ReauthenticateWebAuthnView, RemoveWebAuthnView
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.cache import add_never_cache_headers
from django.views.generic import FormView

from aggregates.accounts import open_sessions
from aggregates.accounts.access import organizations_of
from aggregates.accounts.passkeys import let_log_in_alone
from aggregates.domain.formats import plural
from aggregates.models import User
from aggregates.web.forms.log_in import ConfirmPasswordForm
from aggregates.web.forms.refusals import Refusing, with_status
from aggregates.web.forms.second_factors import (
    AddAppForm,
    AddPasskeyForm,
    CodeForm,
    ConfirmCodeForm,
    ConfirmPasskeyForm,
    PasskeyForm,
)
from aggregates.web.views.gate import PageRequest, action, page


class OfAccount(LoginRequiredMixin):
    """A page of “Your account”, with the header and its tab; no cache keeps it."""

    request: HttpRequest
    template_name: str
    tab = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, User) and not self.is_of_use(request.user):
            response: HttpResponseBase = render(request, self.template_name, self.of_account(request))
        else:
            response = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def is_of_use(self, user: User) -> bool:
        """Say whether the account has what the page changes; where not, the template says so instead of a form."""
        return True

    def of_account(self, request: HttpRequest) -> dict[str, Any]:
        return {"organizations": organizations_of(request.user), "tab": self.tab}  # type: ignore[arg-type]

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**context)  # type: ignore[misc]
        return {**shown, **self.of_account(self.request)}


class SecondFactor(Refusing, AuthenticateView):  # type: ignore[misc]
    """Ask for the second factor, when the password was right."""

    form_class = CodeForm
    webauthn_form_class = PasskeyForm
    template_name = "account/second_factor.html"

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().get_context_data(**context)
        factors = Authenticator.objects.filter(user=self.stage.login.user).values_list("type", flat=True)
        return {**shown, "has_passkey": "webauthn" in factors, "has_app": "totp" in factors}


class Factors(OfAccount, IndexView):  # type: ignore[misc]
    template_name = "account/factors.html"
    tab = "factors"


class AddApp(OfAccount, Refusing, ActivateTOTPView):  # type: ignore[misc]
    form_class = AddAppForm
    template_name = "account/add_app.html"
    tab = "factors"


class RemoveApp(OfAccount, DeactivateTOTPView):  # type: ignore[misc]
    template_name = "account/remove_app.html"
    tab = "factors"


class AddPasskey(OfAccount, AddWebAuthnView):  # type: ignore[misc]
    form_class = AddPasskeyForm
    template_name = "account/add_passkey.html"
    tab = "factors"

    def form_valid(self, form: AddPasskeyForm) -> HttpResponse:
        """Keep it, and whether it was made to log in alone: by the box that was ticked, whatever the passkey can do."""
        with transaction.atomic():
            passkey, codes = add_authenticator(self.request, form.cleaned_data["name"], form.cleaned_data["credential"])
            if form.cleaned_data["passwordless"] and not let_log_in_alone(passkey):
                messages.warning(self.request, "The password changed meanwhile: the passkey is a second factor only.")
        self.did_generate_recovery_codes = codes is not None
        return redirect(self.get_success_url())


class RemovePasskey(OfAccount, RemoveWebAuthnView):  # type: ignore[misc]
    template_name = "account/remove_passkey.html"
    success_url = reverse_lazy("mfa_index")
    tab = "factors"


class ConfirmPasskey(OfAccount, ReauthenticateWebAuthnView):  # type: ignore[misc]
    form_class = ConfirmPasskeyForm
    template_name = "account/confirm_passkey.html"

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        """Show what is wrong, as other forms do."""
        response: HttpResponse = FormView.form_invalid(self, form)
        return with_status(response, form)


class RecoveryCodes(OfAccount, ViewRecoveryCodesView):  # type: ignore[misc]
    template_name = "account/recovery_codes.html"
    tab = "factors"


class NewRecoveryCodes(OfAccount, GenerateRecoveryCodesView):  # type: ignore[misc]
    template_name = "account/new_recovery_codes.html"
    tab = "factors"


class ConfirmPassword(OfAccount, Refusing, ReauthenticateView):  # type: ignore[misc]
    """Ask for the password once more: whoever finds an open session must not take the account over."""

    form_class = ConfirmPasswordForm
    template_name = "account/confirm.html"


class ConfirmCode(OfAccount, Refusing, ReauthenticateByCodeView):  # type: ignore[misc]
    form_class = ConfirmCodeForm
    template_name = "account/confirm.html"


@page
def session_list(request: PageRequest) -> HttpResponse:
    current = request.session.session_key
    context = {
        "organizations": organizations_of(request.user),
        "tab": "sessions",
        "sessions": open_sessions.sessions_of(request.user, current),
    }
    return render(request, "account/sessions.html", context)


@action
def end_session(request: PageRequest, number: int) -> HttpResponse:
    if not open_sessions.end_session(request.user, number):
        raise Http404
    messages.success(request, "That session is ended.")
    return redirect("sessions")


@action
def end_other_sessions(request: PageRequest) -> HttpResponse:
    ended = open_sessions.end_others(request.user, request.session.session_key)
    messages.success(request, f"{plural(ended, 'other session')} ended.")
    return redirect("sessions")
