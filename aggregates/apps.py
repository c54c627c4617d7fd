"""The app: the log of calls, its daily aggregates, and the pages that show them."""

from django.apps import AppConfig


class AggregatesConfig(AppConfig):
    name = "aggregates"
    verbose_name = "Usage"
