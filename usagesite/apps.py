"""Which of the installed packages' static files the site serves."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    # Of what npm installed only scripts are served.
    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "package.json", "LICENSE", "README.md"]
