"""Usage in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

A row is a day's calls with the same provider, model, operation, user, subject and project, straight from the log. What
FOCUS asks for and a log of calls does not know is empty: unit prices (a call has several), invoices, regions.
"""

from collections.abc import Iterator
from itertools import groupby

from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.query.scans import SQL
from aggregates.query.selection import CallSelection
from aggregates.web.exports.streaming import calls_within, copied

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
    "BillingAccountId": "billed.account",
    "BillingAccountName": "billed.name",
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
    """Days in order; charge and billing periods are the organization's days and months, their bounds in UTC.

    It is asked for month by month, so that the first rows come soon however long the range is.
    """
    return copied(selection, _statements(selection))


def _statements(selection: CallSelection) -> Iterator[SQL]:
    organization, zone = selection.organization, selection.organization.time_zone
    for month, its_days in groupby(selection.by_day.days, key=lambda each: days.month_of(each[0])):
        spans = [span for _, span in its_days]
        following = days.month_of(month + 31 * days.DAY)
        calls, values = calls_within(selection, Span(spans[0].start, spans[-1].end))
        starts = [span.start for span in spans]
        yield (
            f"""
            SELECT {SELECTED} FROM (
                SELECT width_bucket(timestamp, %s::timestamptz[]) AS number, {KEYS}, {SUMS} {calls} GROUP BY 1, {KEYS}
            ) AS usage
            JOIN unnest(%s::timestamptz[], %s::timestamptz[])
                WITH ORDINALITY AS day (day_start, day_end, number) USING (number)
            CROSS JOIN (
                SELECT %s::text, %s::text, %s::timestamptz, %s::timestamptz
            ) AS billed (account, name, month_start, month_end)
            ORDER BY number, {KEYS}
            """,
            [
                *(starts, *values, starts, [span.end for span in spans]),
                *(organization.slug, organization.name, days.midnight(month, zone), days.midnight(following, zone)),
            ],
        )
