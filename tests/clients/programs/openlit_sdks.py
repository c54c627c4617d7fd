"""The SDKs of OpenAI, Anthropic and Google under OpenLIT."""

import os

import openlit
from opentelemetry import trace
from people import PEOPLE
from sdk_calls import call_all

openlit.init(
    application_name="shop",
    otlp_endpoint=os.environ["SITE_URL"],
    otlp_headers=os.environ["OTEL_EXPORTER_OTLP_HEADERS"],
    disable_metrics=True,
)
for user, operation in PEOPLE:
    attributes = {"user.id": user, "gen_ai.workflow.name": operation}
    with trace.get_tracer("app").start_as_current_span("ask", attributes=attributes):
        call_all(user, operation)
trace.get_tracer_provider().shutdown()
