"""Addresses of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path


def to_admin(request: HttpRequest, **_: object) -> HttpResponse:
    """Lead staff who are logged in on; others log in as everybody does, and never by the admin's own form."""
    return redirect("admin:index")


def to_password(request: HttpRequest, **_: object) -> HttpResponse:
    """Lead to the page for passwords: the admin's own form lets whoever finds a session try any number of them."""
    return redirect("account_change_password")


admin.site.login = secure_admin_login(to_admin)  # type: ignore[method-assign]
admin.site.password_change = to_password  # type: ignore[assignment,method-assign]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("aggregates.urls")),
]

handler500 = "aggregates.web.views.errors.server_error"
