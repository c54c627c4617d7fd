"""A program that uses OpenAI's client and OpenTelemetry, as any other would; run in an environment of its own."""

import os
from contextlib import suppress

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JSONExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ProtobufExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PROMPT = [{"role": "user", "content": "once upon a time"}]

provider = TracerProvider()
exporter = JSONExporter() if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/json" else ProtobufExporter()
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

client = openai.OpenAI(max_retries=0)
with trace.get_tracer("app").start_as_current_span("handle_ticket", attributes={"user.id": "u-17"}):
    client.chat.completions.create(model="gpt-5", messages=PROMPT)
    for _ in client.chat.completions.create(
        model="gpt-5", messages=PROMPT, stream=True, stream_options={"include_usage": True}
    ):
        pass
    client.embeddings.create(model="text-embedding-3-small", input="once upon a time")
    with suppress(openai.BadRequestError):
        client.chat.completions.create(model="broken-model", messages=PROMPT)
provider.shutdown()
