"""Usage in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

A row is a day's calls with the same provider, model, operation, user, subject and project, straight from the log; its
charges have rows of their own, what is paid (a purchase) and what is given back (a credit) apart. What FOCUS asks for
and a log of calls does not know is empty: unit prices (a call has several), invoices, regions.
"""

from collections.abc import Generator, Iterator
from itertools import groupby

from psycopg.sql import SQL, Identifier, Literal

from aggregates.db.sql import columns, listed
from aggregates.domain import days
from aggregates.domain.days import Span
from aggregates.domain.dimensions import DIMENSIONS
from aggregates.domain.measures import MEASURES
from aggregates.query.reports import FORMULA
from aggregates.query.selection import CallSelection
from aggregates.web.exports.streaming import Select, calls_within, stream

KEYS = columns(dimension.column for dimension in DIMENSIONS)
SUMS = listed(SQL("sum({}) AS {}").format(SQL(measure.of_call), Identifier(measure.name)) for measure in MEASURES)
PROVIDER = "COALESCE(NULLIF(provider, ''), '(not set)')"
CATEGORY = "CASE WHEN kind = 'call' THEN 'Usage' WHEN cost < 0 THEN 'Credit' ELSE 'Purchase' END"  # of a row of the log
# The names of tags, and where each is kept.
TAGS = "'operation', NULLIF(operation, ''), 'user', NULLIF(user_id, ''), 'subject', NULLIF(subject_id, '')"


FORMULAS = Literal("".join(FORMULA)).as_string()


def _shown(expression: str) -> str:
    """Write a text with an apostrophe before one that a spreadsheet would take for a formula."""
    is_formula = f"strpos({FORMULAS}, left(nullif({expression}, ''), 1)) > 0"
    return f"CASE WHEN {is_formula} THEN '''' || {expression} ELSE {expression} END"


def _by_category(usage: str, purchase: str = "NULL", credit: str = "NULL") -> str:
    return f"CASE category WHEN 'Usage' THEN {usage} WHEN 'Purchase' THEN {purchase} ELSE {credit} END"


TOKENS = "input_tokens + output_tokens"
CHARGE = "'Charge' || COALESCE(': ' || NULLIF(subject_id, ''), ': ' || NULLIF(model, ''), '')"


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


# Each column with its SQL over a row of sums, in FOCUS's order, which is the alphabet's; those of ours begin with x_.
COLUMNS = {
    "BilledCost": "cost",
    "BillingAccountId": "billed.account",
    "BillingAccountName": _shown("billed.name"),
    "BillingAccountType": "'Organization'",
    "BillingCurrency": "'USD'",
    "BillingPeriodEnd": _time("month_end"),
    "BillingPeriodStart": _time("month_start"),
    "ChargeCategory": "category",
    "ChargeClass": "NULL",
    "ChargeDescription": _by_category("'Calls to ' || model", CHARGE, CHARGE),
    "ChargeFrequency": _by_category("'Usage-Based'", "'One-Time'", "'One-Time'"),
    "ChargePeriodEnd": _time("day_end"),
    "ChargePeriodStart": _time("day_start"),
    "ConsumedQuantity": _by_category(TOKENS),
    "ConsumedUnit": _by_category("'Tokens'"),
    "ContractedCost": "cost",
    "ContractedUnitPrice": "NULL",
    "EffectiveCost": "cost",
    "InvoiceId": "NULL",
    "InvoiceIssuerName": _shown(PROVIDER),
    "ListCost": "cost",
    "ListUnitPrice": "NULL",
    "PricingCategory": "'Standard'",
    "PricingCurrency": "'USD'",
    "PricingQuantity": _by_category(TOKENS, "charges"),
    "PricingUnit": _by_category("'Tokens'", "'Charges'"),
    "ProviderName": _shown(PROVIDER),
    "PublisherName": _shown(PROVIDER),
    "RegionId": "NULL",
    "RegionName": "NULL",
    "ResourceId": "NULL",
    "ResourceName": "NULL",
    "ResourceType": "NULL",
    "ServiceCategory": "'AI and Machine Learning'",
    "ServiceName": _shown(f"({PROVIDER} || ' models')"),
    "ServiceSubcategory": "'Generative AI'",
    "SkuId": _shown("NULLIF(model, '')"),
    "SkuMeter": _by_category("'Tokens'"),
    "SkuPriceId": "NULL",
    "SubAccountId": _shown("NULLIF(project, '')"),
    "SubAccountName": _shown("NULLIF(project, '')"),
    "SubAccountType": "CASE WHEN project <> '' THEN 'Project' END",
    "Tags": f"jsonb_strip_nulls(jsonb_build_object({TAGS}))",
    "x_CacheWriteTokens": "cache_write_tokens",
    "x_CachedTokens": "cached_tokens",
    "x_Calls": "calls",
    "x_ChargeCost": "charge_cost",
    "x_Charges": "charges",
    "x_Errors": "errors",
    "x_InputTokens": "input_tokens",
    "x_OutputTokens": "output_tokens",
    "x_ReasoningTokens": "reasoning_tokens",
    "x_UnpricedCalls": "unpriced_calls",
}
SELECT = SQL(
    """
    SELECT {columns} FROM (
        SELECT width_bucket(timestamp, %s::timestamptz[]) AS number, {keys}, {category} AS category, {sums} {calls}
        GROUP BY 1, {keys}, {category}
    ) AS usage
    JOIN unnest(%s::timestamptz[], %s::timestamptz[])
        WITH ORDINALITY AS day (day_start, day_end, number) USING (number)
    CROSS JOIN (
        SELECT %s::text, %s::text, %s::timestamptz, %s::timestamptz
    ) AS billed (account, name, month_start, month_end)
    ORDER BY number, {keys}, category DESC
    """
)
LISTED = listed(SQL("{} AS {}").format(SQL(expression), Identifier(name)) for name, expression in COLUMNS.items())


def as_csv(selection: CallSelection) -> Generator[bytes, None, None]:
    """Write days in order; charge and billing periods are the organization's days and months, their bounds in UTC.

    They are asked for month by month, so that the first rows come soon however long the range is.
    """
    return stream(selection, _selects(selection))


def _selects(selection: CallSelection) -> Iterator[Select]:
    organization, zone = selection.organization, selection.organization.time_zone
    for month, its_days in groupby(selection.by_day.days, key=lambda each: days.month_of(each[0])):
        spans = [span for _, span in its_days]
        following = days.month_of(month + 31 * days.DAY)
        calls, values = calls_within(selection, Span(spans[0].start, spans[-1].end))
        starts = [span.start for span in spans]
        yield (
            SELECT.format(columns=LISTED, keys=KEYS, category=SQL(CATEGORY), sums=SUMS, calls=calls),
            [
                *(starts, *values, starts, [span.end for span in spans]),
                *(organization.slug, organization.name, days.midnight(month, zone), days.midnight(following, zone)),
            ],
        )
