"""Usage in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

A row is a day's calls with the same provider, model, operation, user, subject and project, straight from the log. What
FOCUS asks for and a log of calls does not know is empty: unit prices (a call has several), invoices, regions.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from aggregates import days
from aggregates.days import Span
from aggregates.dimensions import DIMENSIONS
from aggregates.exports.streaming import copied
from aggregates.listing import KINDS, TABLE
from aggregates.measures import MEASURES
from aggregates.pieces import conditions
from aggregates.queries import UsageQuery
from aggregates.selection import CallSelection

KEYS = ", ".join(dimension.column for dimension in DIMENSIONS)
SUMS = ", ".join(f"sum({measure.of_call}) AS {measure.name}" for measure in MEASURES)
PROVIDER = "COALESCE(NULLIF(provider, ''), '(not set)')"
TOKENS = "input_tokens + output_tokens"
# The names of tags, and where each is kept.
TAGS = ", ".join(f"'{name}', NULLIF({column}, '')" for name, column in (
    ("operation", "operation"), ("user", "user_id"), ("subject", "subject_id")
))  # fmt: skip


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


# Each column with its SQL over a row of sums, in FOCUS's order, which is the alphabet's; those of ours begin with x_.
COLUMNS = {
    "BilledCost": "cost",
    "BillingAccountId": "%(account)s::text",
    "BillingAccountName": "%(name)s::text",
    "BillingAccountType": "'Organization'",
    "BillingCurrency": "'USD'",
    "BillingPeriodEnd": _time("month_end"),
    "BillingPeriodStart": _time("month_start"),
    "ChargeCategory": "'Usage'",
    "ChargeClass": "NULL",
    "ChargeDescription": "'Calls to ' || model",
    "ChargeFrequency": "'Usage-Based'",
    "ChargePeriodEnd": _time("day_end"),
    "ChargePeriodStart": _time("day_start"),
    "ConsumedQuantity": TOKENS,
    "ConsumedUnit": "'Tokens'",
    "ContractedCost": "cost",
    "ContractedUnitPrice": "NULL",
    "EffectiveCost": "cost",
    "InvoiceId": "NULL",
    "InvoiceIssuerName": PROVIDER,
    "ListCost": "cost",
    "ListUnitPrice": "NULL",
    "PricingCategory": "'Standard'",
    "PricingCurrency": "'USD'",
    "PricingQuantity": TOKENS,
    "PricingUnit": "'Tokens'",
    "ProviderName": PROVIDER,
    "PublisherName": PROVIDER,
    "RegionId": "NULL",
    "RegionName": "NULL",
    "ResourceId": "NULL",
    "ResourceName": "NULL",
    "ResourceType": "NULL",
    "ServiceCategory": "'AI and Machine Learning'",
    "ServiceName": f"{PROVIDER} || ' models'",
    "ServiceSubcategory": "'Generative AI'",
    "SkuId": "model",
    "SkuMeter": "'Tokens'",
    "SkuPriceId": "NULL",
    "SubAccountId": "NULLIF(project, '')",
    "SubAccountName": "NULLIF(project, '')",
    "SubAccountType": "CASE WHEN project <> '' THEN 'Project' END",
    "Tags": f"jsonb_strip_nulls(jsonb_build_object({TAGS}))",
    "x_CacheWriteTokens": "cache_write_tokens",
    "x_CachedTokens": "cached_tokens",
    "x_Calls": "calls",
    "x_Errors": "errors",
    "x_InputTokens": "input_tokens",
    "x_OutputTokens": "output_tokens",
    "x_ReasoningTokens": "reasoning_tokens",
    "x_UnpricedCalls": "unpriced_calls",
}
SELECTED = ", ".join(f'{sql} AS "{name}"' for name, sql in COLUMNS.items())


def as_csv(selection: CallSelection) -> Iterator[bytes]:
    """Days in order; charge and billing periods are the organization's days and months, their bounds in UTC."""
    query = selection.by_day
    where, values = conditions(query)
    named = {f"value{number}": value for number, value in enumerate(values)}
    for name in named:
        where = where.replace("%s", f"%({name})s", 1)
    spans = [span for _, span in query.days]
    months = [_month_of(day, query) for day, _ in query.days]
    statement = f"""
        SELECT {SELECTED} FROM (
            SELECT width_bucket(timestamp, %(day_starts)s::timestamptz[]) AS number, {KEYS}, {SUMS}
            FROM {TABLE} WHERE organization_id = %(organization)s AND timestamp >= %(start)s AND timestamp < %(end)s
                {where}{KINDS[selection.status].condition}
            GROUP BY 1, {KEYS}
        ) AS usage JOIN unnest(
            %(day_starts)s::timestamptz[], %(day_ends)s::timestamptz[],
            %(month_starts)s::timestamptz[], %(month_ends)s::timestamptz[]
        ) WITH ORDINALITY AS period (day_start, day_end, month_start, month_end, number) USING (number)
        ORDER BY number, {KEYS}
    """
    parameters: dict[str, Any] = named | {
        "account": query.organization.slug,
        "name": query.organization.name,
        "organization": query.organization.pk,
        "start": query.start,
        "end": query.end,
        "day_starts": [span.start for span in spans],
        "day_ends": [span.end for span in spans],
        "month_starts": [month.start for month in months],
        "month_ends": [month.end for month in months],
    }
    return copied(statement, parameters)


def _month_of(day: date, query: UsageQuery) -> Span:
    first = days.month_of(day)
    return Span(_midnight(first, query), _midnight(days.month_of(first + 31 * days.DAY), query))


def _midnight(day: date, query: UsageQuery) -> datetime:
    return days.midnight(day, query.zone)
