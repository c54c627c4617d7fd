"""The SDKs of OpenAI, Anthropic and Google under Logfire."""

import logfire
from opentelemetry import trace
from sdk_calls import PEOPLE, call_all

logfire.configure(send_to_logfire=False, console=False, service_name="shop")
logfire.instrument_openai()
logfire.instrument_anthropic()
logfire.instrument_google_genai()
for user, operation in PEOPLE:
    attributes = {"user.id": user, "gen_ai.workflow.name": operation}
    with trace.get_tracer("app").start_as_current_span("ask", attributes=attributes):
        call_all(user, operation)
logfire.shutdown()
