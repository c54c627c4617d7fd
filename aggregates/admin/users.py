"""Users, who log in by e-mail address, and what they may: rights are for superusers to give."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as AnyGroupAdmin
from django.contrib.auth.admin import UserAdmin as NamedUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aggregates.accounts import audit_events
from aggregates.admin.tables import TableAdmin
from aggregates.models import User

admin.site.unregister(EmailAddress)  # a user has the address of the user's own row

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


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
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return () if _is_superuser(request) else RIGHTS

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        before = form.initial
        super().save_model(request, obj, form, change)
        if change:
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
                    audit_events.write_account_changed(user, {}, ["password"])
        return response

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        audit_events.write_account_removed(obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for user in queryset:
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
    return not (user.is_staff or user.is_superuser)
