"""The charts of the dashboard, in the order of the page. To add one, copy a neighbour and list it here."""

from aggregates.web.charts import calls, explore, tokens
from aggregates.web.charts.chart import Chart

CHARTS: tuple[Chart, ...] = (explore.CHART, calls.CHART, tokens.CHART)
