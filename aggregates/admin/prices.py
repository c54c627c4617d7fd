"""Own prices and discounts, to look at: both are set on an organization's own page."""

from django.contrib import admin

from aggregates.accounts.access import Permission
from aggregates.admin.readonly import ReadOnlyAdmin
from aggregates.models import Discount, PriceOverride


@admin.register(PriceOverride)
class PriceOverrideAdmin(ReadOnlyAdmin):
    site_page, site_permission, links_in_list = "prices", Permission.PRICES, True
    fields = (
        ("organization", "pattern", "tier"),
        ("first", "last"),
        ("input", "cached", "cache_write", "cache_write_1h", "output"),
        "units",
        ("created_by", "created_at"),
    )
    list_display = ("pattern", "tier", "first", "last", "input", "cached", "output")
    list_select_related = ("organization",)
    ordering = ("organization", "pattern", "tier", "-first")
    search_fields = ("pattern", "organization__slug")


@admin.register(Discount)
class DiscountAdmin(ReadOnlyAdmin):
    site_page, site_permission, links_in_list = "prices", Permission.PRICES, True
    fields = (("organization", "provider"), "percent", ("first", "last"), ("created_by", "created_at"))
    list_display = ("provider", "percent", "first", "last")
    list_select_related = ("organization",)
    ordering = ("organization", "provider", "-first")
    search_fields = ("provider", "organization__slug")
