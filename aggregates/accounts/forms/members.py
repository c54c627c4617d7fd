"""Who is invited, as what; and the account of one who follows an invitation."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import BaseUserCreationForm

from aggregates.accounts.forms.limits import LimitsForm
from aggregates.models import Role, User
from aggregates.models.organization import SEEING
from aggregates.query.forms.fields import CHOICES


class RoleForm(forms.Form):
    """One of the roles that whoever sends it may give."""

    role = forms.ChoiceField(error_messages=CHOICES)

    def __init__(self, roles: tuple[Role, ...], data: Any = None, **rest: Any) -> None:
        super().__init__(data, **rest)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]

    @property
    def chosen_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InviteForm(LimitsForm, RoleForm):
    """Who is invited: the owner of an address, or whoever gets the link; and to see what."""

    email = forms.EmailField(label="E-mail address", required=False, max_length=254)
    by_mail = forms.BooleanField(required=False)

    def __init__(self, roles: tuple[Role, ...], data: Any = None) -> None:
        super().__init__(data, roles=roles)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if (cleaned.get("projects") or cleaned.get("users")) and cleaned.get("role") not in (*SEEING, None):
            self.add_error("role", "Only analysts and viewers can be limited to projects or users.")
        cleaned["by_mail"] = bool(cleaned.get("by_mail")) and settings.SENDS_MAIL
        if cleaned["by_mail"] and not cleaned.get("email") and "email" not in self.errors:
            self.add_error("email", "Expected the address that the mail goes to.")
        return cleaned

    @property
    def problems(self) -> list[str]:
        return [str(message) for found in self.errors.values() for message in found]


class JoinForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """The new account of somebody who was invited; with `email` it is that of this address."""

    class Meta:
        model = User
        fields = ("email",)

    def __init__(self, email: str, data: Any = None) -> None:
        super().__init__(data)
        if email:
            del self.fields["email"]
            self.instance.email = email
        else:
            self.fields["email"].label = "E-mail address"
            self.fields["email"].widget.attrs["autocomplete"] = "username"
        for name, label in {"password1": "Password", "password2": "Password, again"}.items():
            self.fields[name].label = label
            self.fields[name].help_text = ""

    def clean_email(self) -> str:
        email = User.objects.normalize_email(self.cleaned_data["email"])
        if User.objects.named(email).exists():
            raise forms.ValidationError("There is an account with this address already: log in with it.")
        return email
