"""Addresses of the pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from aggregates.views.dashboard import dashboard
from aggregates.views.home import home
from aggregates.views.platform import platform

log_in = LoginView.as_view(template_name="aggregates/login.html", redirect_authenticated_user=True)

urlpatterns = [
    path("", home, name="home"),
    path("login/", log_in, name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("o/<slug:slug>/", dashboard, name="dashboard"),
    path("platform/", platform, name="platform"),
]
