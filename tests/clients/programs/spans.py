"""OpenTelemetry as a program sets it up, and a span around what somebody asked it for."""

import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SPANS_AT_ONCE = int(os.environ.get("SPANS_AT_ONCE", "512"))


def set_up():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_export_batch_size=SPANS_AT_ONCE))
    trace.set_tracer_provider(provider)
    return provider


def asked_by(user, operation):
    attributes = {"user.id": user, "gen_ai.workflow.name": operation}
    return trace.get_tracer("app").start_as_current_span("ask", attributes=attributes)
