"""The SDKs of OpenAI and Anthropic under Logfire."""

import logfire
from opentelemetry import trace
from people import PEOPLE
from sdk_calls import call_anthropic, call_openai

logfire.configure(send_to_logfire=False, console=False, service_name="shop")
logfire.instrument_openai()
logfire.instrument_anthropic()
for user, operation in PEOPLE:
    attributes = {"user.id": user, "gen_ai.workflow.name": operation}
    with trace.get_tracer("app").start_as_current_span("ask", attributes=attributes):
        call_openai(user, operation)
        call_anthropic(user, operation)
logfire.shutdown()
