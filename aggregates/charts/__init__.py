"""The charts of the dashboard, in the order of the page. To add one, copy a neighbour and list it here."""

from aggregates.charts import breakdown, calls, cost, tokens

CHARTS = (cost.CHART, calls.CHART, tokens.CHART, breakdown.CHART)
