"""Logging in, and changing one's password: allauth's forms in the words of this site."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import AddEmailForm, ChangePasswordForm, LoginForm, ReauthenticateForm, ResetPasswordKeyForm
from django import forms
from django.http import HttpRequest, HttpResponse

from aggregates.accounts import email_addresses

NEW = "New password"
AGAIN = "New password, again"
LONGEST = 254  # characters of an address, as accounts have it


def _say(form: forms.Form, **labels: str) -> None:
    """Label the fields. Placeholders would only repeat that, and disappear as one types."""
    for name, label in labels.items():
        form.fields[name].label = label
        form.fields[name].widget.attrs.pop("placeholder", None)
        form.fields[name].help_text = ""
    form.label_suffix = ""


class LogInForm(LoginForm):  # type: ignore[misc]
    """An e-mail address and a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, login="E-mail address", password="Password")  # noqa: S106 (a label)
        self.fields["login"].widget.attrs["autocomplete"] = "username"
        self.fields["password" if self.is_bound else "login"].widget.attrs["autofocus"] = True

    def login(self, request: HttpRequest, redirect_url: str | None = None) -> HttpResponse:
        """Log in, and leave it to the site's sessions when that ends."""
        response: HttpResponse = super().login(request, redirect_url=redirect_url)
        request.session.set_expiry(None)
        return response


class PasswordForm(ChangePasswordForm):  # type: ignore[misc]
    """The old password, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, oldpassword="Current password", password1=NEW, password2=AGAIN)  # noqa: S106 (labels)

    def clean_oldpassword(self) -> str:
        """Check it as at a log-in: whoever finds an open session cannot try passwords without limit."""
        given: str = self.cleaned_data["oldpassword"]
        if not get_adapter().reauthenticate(self.user, given):
            raise get_adapter().validation_error("enter_current_password")
        return given


class EmailForm(AddEmailForm):  # type: ignore[misc]
    """Another address for the account. Whether one has it already is not told before its owner confirms it."""

    email = forms.EmailField(max_length=LONGEST, widget=forms.EmailInput({"autocomplete": "email"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, email="New e-mail address")

    def clean_email(self) -> str:
        """Take the address that is wanted already, too: for another mail."""
        given: str = self.cleaned_data["email"].lower()
        wanted = email_addresses.wanted_by(self.user)
        return given if wanted and wanted.email == given else super().clean_email()


class ConfirmPasswordForm(ReauthenticateForm):  # type: ignore[misc]
    """The password once more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, password="Password")  # noqa: S106 (a label)
        self.fields["password"].widget.attrs["autofocus"] = True


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]
    """A new password twice, for whoever has a link from a mail."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, password1=NEW, password2=AGAIN)  # noqa: S106 (labels)


class ResetForm(forms.Form):
    """Whose password is to be reset. It is not told whether there is such an account."""

    email = forms.EmailField(
        label="E-mail address", max_length=LONGEST, widget=forms.EmailInput({"autocomplete": "username"})
    )
