"""Users, who log in by e-mail address, and what they may: rights are for superusers to give."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as AnyGroupAdmin
from django.contrib.auth.admin import UserAdmin as NamedUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from aggregates.accounts import audit_events, passwords
from aggregates.accounts.email_addresses import forget_change
from aggregates.accounts.new_passwords import end_other_ways_in
from aggregates.accounts.revocation import revoke_of_account
from aggregates.admin.tables import TableAdmin
from aggregates.domain.formats import plural
from aggregates.models import User

admin.site.unregister(EmailAddress)  # a user has the address of the user's own row
admin.site.unregister(Authenticator)  # secrets, to be removed below
admin.site.unregister((UserSession, SocialAccount, SocialApp, SocialToken))

NOT_THEIRS = "Accounts with rights over the site are for superusers."
RIGHTS = ("is_staff", "is_superuser", "reads_all", "groups", "user_permissions")


class UserCreation(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)


class UserChange(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"  # noqa: DJ007 (the admin's fieldsets say which)


@admin.register(User)
class UserAdmin(TableAdmin, NamedUserAdmin):  # type: ignore[type-arg]
    form = UserChange
    add_form = UserCreation
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Permissions", {"fields": ("is_active", *RIGHTS)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    list_display = ("email", "first_name", "last_name", "is_staff", "last_login")
    list_filter = ("is_staff", "is_superuser", "reads_all", "is_active", "groups")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    actions = ("make_password_link", "remove_second_factors")

    @admin.action(description="Make a link to set a new password", permissions=["change"])
    def make_password_link(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Show a link to hand over, once, in answer to the form alone."""
        user = queryset.first() if queryset.count() == 1 else None
        if user is None or not user.is_active:
            self.message_user(request, "Choose one account that is active.", messages.ERROR)
            return None
        if not _may_touch(request, user):
            self.message_user(request, NOT_THEIRS, messages.ERROR)
            return None
        with transaction.atomic():
            link = passwords.hand_over_link(user, request.build_absolute_uri(reverse("home")))
        context = {**self.admin_site.each_context(request), "title": "Link to set a new password", "user_row": user}
        return render(request, "admin/aggregates/user/password_link.html", {**context, "link": link})

    @admin.action(description="Remove second factors", permissions=["change"])
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For whoever lost phone and codes; an entry in the audit log says who did it."""
        if not all(_may_touch(request, user) for user in queryset):
            self.message_user(request, NOT_THEIRS, messages.ERROR)
            return
        with transaction.atomic():
            removed, _ = Authenticator.objects.filter(user__in=queryset).delete()
        self.message_user(request, f"{plural(removed, 'second factor')} removed, recovery codes included.")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return () if _is_superuser(request) else RIGHTS

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        before = form.initial
        super().save_model(request, obj, form, change)
        if change:
            if "email" in form.changed_data:
                forget_change(obj)
            audit_events.write_account_changed(obj, before, form.changed_data)
        else:
            audit_events.write_account_added(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set a password in place of its owner's."""
        with transaction.atomic():
            user = self.get_object(request, unquote(id))
            before = user.password if user else ""
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if user:
                user.refresh_from_db(fields=["password"])
                if user.password != before:
                    if not user.has_usable_password():  # of which validators are told nothing
                        end_other_ways_in(user)
                    audit_events.write_account_changed(user, {}, ["password"])
        return response

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        revoke_of_account(obj)
        audit_events.write_account_removed(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for user in queryset:
                revoke_of_account(user)
                audit_events.write_account_removed(user)
            super().delete_queryset(request, queryset)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Also of a password: who sets that of somebody with more rights has these."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(TableAdmin, AnyGroupAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Say whether the account of a user is for others than superusers to change: their own, or one without rights."""
    if user is None or _is_superuser(request) or user.pk == request.user.pk:
        return True
    return not user.has_rights
