"""Users, who log in by e-mail address."""

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as NamedUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from aggregates.models import User

admin.site.unregister(EmailAddress)  # a user has the address of the user's own row

PERMISSIONS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


class UserCreation(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)


class UserChange(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"  # noqa: DJ007 (the admin's fieldsets say which)


@admin.register(User)
class UserAdmin(NamedUserAdmin):  # type: ignore[type-arg]
    form = UserChange
    add_form = UserCreation
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Permissions", {"fields": PERMISSIONS}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)
    list_display = ("email", "first_name", "last_name", "is_staff", "last_login")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
