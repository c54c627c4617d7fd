"""Another e-mail address for one's own account: allauth's pages, with limits that hold over all workers."""

from http import HTTPStatus
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.views import ConfirmEmailView, EmailView
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.views.generic import FormView

from aggregates.accounts import attempts, email_addresses
from aggregates.accounts.addresses import client_address
from aggregates.accounts.email_addresses import CannotChange
from aggregates.models import User
from aggregates.web.forms.log_in import EmailForm
from aggregates.web.forms.refusals import Refusing, refusal
from aggregates.web.views.account import OfAccount


class _OneAddress(EmailView):  # type: ignore[misc]
    """allauth's page without what is for accounts of many addresses, and without what it writes at each look."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self._did_send_verification_email = False
        return FormView.dispatch(self, request, *args, **kwargs)

    def _action_primary(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Change nothing: another address comes by the link in a mail alone."""

    def _action_send(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Send no further mail: another one is asked for with the address, and counted."""


class Email(OfAccount, Refusing, _OneAddress):
    """Ask for another address; the password comes first. Where the site sends no mail, say who helps."""

    form_class = EmailForm
    template_name = "account/email.html"
    tab = "email"

    def is_of_use(self, user: User) -> bool:
        return user.has_usable_password() and settings.SENDS_MAIL

    def get_initial(self) -> dict[str, Any]:
        wanted = email_addresses.wanted_by(self.request.user)  # type: ignore[arg-type]
        return {"email": wanted.email if wanted else ""}

    @method_decorator(reauthentication_required(app="allauth.account"))
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_valid(self, form: EmailForm) -> HttpResponse:
        address = client_address(self.request.META)
        try:
            email_addresses.admit_mail(self.request.user, form.cleaned_data["email"], address)  # type: ignore[arg-type]
        except attempts.TooManyAttempts as error:
            form.add_error(None, refusal(error, HTTPStatus.TOO_MANY_REQUESTS, error.seconds))
            return self.form_invalid(form)
        with transaction.atomic():  # note_current lets no other tab of the account in between
            email_addresses.note_current(self.request.user)  # type: ignore[arg-type]
            response: HttpResponse = super().form_valid(form)
        return response

    def _action_remove(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        email_addresses.forget_change(request.user)  # type: ignore[arg-type]
        messages.success(request, "Your address stays as it is: the link in the mail is good no longer.")
        return redirect("account_email")


class ConfirmEmail(ConfirmEmailView):  # type: ignore[misc]
    """Take the new address, when its owner says so on the page that the link leads to."""

    template_name = "account/confirm_email.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def get(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().get(*args, **kwargs)
        if self.object is None:
            response.status_code = HTTPStatus.NOT_FOUND
        return response

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().post(*args, **kwargs)
        except CannotChange as error:
            context = {"problem": str(error), "confirmation": self.object}
            return render(self.request, self.template_name, context, status=HTTPStatus.CONFLICT)
        return response

    def respond(self, success: bool) -> HttpResponse:
        context = {"confirmation": self.object, "is_changed": success}
        return render(self.request, self.template_name, context)

    def logout_other_user(self, confirmation: Any) -> None:
        """Log nobody out: a link must not, whoever made it and whoever follows it."""
