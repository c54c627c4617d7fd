"""How programs of each kind are connected: what to set or to write, with this site's address and a key filled in.

docs/sending-usage.md tells more of each; a test holds the names of settings, paths and fields here to those there.
"""

from dataclasses import dataclass, replace

ENVIRONMENT = """\
export OTEL_SERVICE_NAME=billing-bot
export OTEL_EXPORTER_OTLP_ENDPOINT={site}
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{key}"
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_COMPRESSION=gzip"""
AROUND = 'attributes={"user.id": "u-17", "gen_ai.workflow.name": "summarize"}'

PYTHON = f"""\
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
AnthropicInstrumentor().instrument()

tracer = trace.get_tracer("app")
with tracer.start_as_current_span("ask", {AROUND}):
    ...  # your calls, as they are
provider.shutdown()  # at the end of the program: sends what is left"""

SEND = """\
async function record(call: object) {
  await fetch("{site}/api/v1/usage", {
    method: "POST",
    headers: { "Authorization": "Bearer {key}", "Content-Type": "application/json" },
    body: JSON.stringify(call),
  });
}"""
OPENAI = """\
const reply = await openai.chat.completions.create({ model: "gpt-5", messages });
await record({
  "request_id": reply.id,
  "timestamp": new Date().toISOString(),
  "provider": "openai",
  "model": reply.model,
  "operation": "summarize",
  "user_id": "u-17",
  "input_tokens": reply.usage?.prompt_tokens,
  "cached_tokens": reply.usage?.prompt_tokens_details?.cached_tokens,
  "output_tokens": reply.usage?.completion_tokens,
  "reasoning_tokens": reply.usage?.completion_tokens_details?.reasoning_tokens,
});"""
ANTHROPIC = """\
const reply = await anthropic.messages.create({ model: "claude-sonnet-4-5", max_tokens: 1024, messages });
const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = reply.usage;
await record({
  "request_id": reply.id,
  "timestamp": new Date().toISOString(),
  "provider": "anthropic",
  "model": reply.model,
  "operation": "summarize",
  "user_id": "u-17",
  "input_tokens": input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0),
  "cached_tokens": cache_read_input_tokens ?? 0,
  "cache_write_tokens": cache_creation_input_tokens ?? 0,
  "output_tokens": output_tokens,
});"""

LITELLM = """\
import litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

litellm.turn_off_message_logging = True  # then prompts do not even leave the program


async def main():  # the logger has to be made while an event loop runs
    logger = GenericAPILogger(
        endpoint="{site}/api/v1/litellm",
        headers={"Authorization": "Bearer {key}"},
        max_retries=5,
    )
    litellm.callbacks = [logger]
    await litellm.acompletion(
        "gpt-4o",
        messages=[{"role": "user", "content": "Hello"}],
        user="u-17",
        metadata={"spend_logs_metadata": {"operation": "summarize", "project": "search"}},
    )
    await logger.async_send_batch()  # before the program ends: it sends every five seconds"""

VERCEL = """\
import { NodeTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { OpenTelemetry } from "@ai-sdk/otel";
import { generateText, registerTelemetry } from "ai";

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
registerTelemetry(new OpenTelemetry());

await generateText({ model, prompt, telemetry: { functionId: "summarize" } });
await provider.shutdown(); // at the end of the program: sends what is left"""
VERCEL_6 = """\
await generateText({
  model,
  prompt,
  experimental_telemetry: { isEnabled: true, functionId: "summarize", metadata: { userId: "u-17" } },
});"""

CLAUDE_CODE = """\
export CLAUDE_CODE_ENABLE_TELEMETRY=1 OTEL_LOGS_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_ENDPOINT={site}
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{key}"
claude"""

CURL = """\
curl {site}/api/v1/usage -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{"request_id": "try-{now}", "timestamp": "{now}", "model": "gpt-5", "provider": "openai", "input_tokens": 1200, \
"output_tokens": 240, "operation": "summarize", "user_id": "u-17", "project": "search"}'"""

FILE = """\
timestamp,model,operation,user_id,input_tokens,cached_tokens,output_tokens,cost
2025-07-01T09:30:00Z,gpt-5,summarize,u-17,1200,800,240,0.00485
2025-07-01T09:31:12Z,claude-sonnet-4-5,chat,u-4,5310,0,611,0.025095"""
SEND_FILE = """\
gzip -c calls.jsonl | curl {site}/api/v1/usage -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/x-ndjson" -H "Content-Encoding: gzip" --data-binary @-"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to copy, with a line about what it is."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Client:
    """A kind of program: how it is connected, and what to set where its calls tell no user, operation or project.

    `document` is the part of docs/sending-usage.md about it.
    """

    name: str
    title: str
    words: str
    snippets: tuple[Snippet, ...]
    user: str
    operation: str
    project: str
    document: str = "opentelemetry"
    takes_files: bool = False


SPAN_USER = "user.id on a span around the call"
SPAN_OPERATION = "gen_ai.workflow.name on a span around the call"
SERVICE = "OTEL_SERVICE_NAME"

CLIENTS = (
    Client(
        "otel",
        "OpenTelemetry",
        "A program that makes spans of its calls, with whatever instrumentation, needs these settings and no code.",
        (Snippet("In its environment", ENVIRONMENT),),
        SPAN_USER,
        SPAN_OPERATION,
        SERVICE,
    ),
    Client(
        "litellm",
        "LiteLLM",
        "Its generic API logger posts each call; the proxy has the same logger, with the same address and header.",
        (Snippet("In the program", LITELLM),),
        'user="u-17" in the call',
        'metadata={"spend_logs_metadata": {"operation": "summarize"}} in the call',
        'metadata={"spend_logs_metadata": {"project": "search"}} in the call',
        "litellm",
    ),
    Client(
        "python",
        "OpenAI, Anthropic in Python",
        "OpenInference makes a span of each call of both SDKs. A stream of OpenAI’s chat completions tells its tokens "
        'with stream_options={"include_usage": True}.',
        (
            Snippet(
                "Once",
                "pip install openinference-instrumentation-openai openinference-instrumentation-anthropic "
                "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
            ),
            Snippet("In its environment", ENVIRONMENT),
            Snippet("In the program", PYTHON),
        ),
        SPAN_USER,
        SPAN_OPERATION,
        SERVICE,
        "clients",
    ),
    Client(
        "typescript",
        "OpenAI, Anthropic in TypeScript",
        "After each call the program sends what the reply tells of it.",
        (Snippet("Once in the program", SEND), Snippet("OpenAI", OPENAI), Snippet("Anthropic", ANTHROPIC)),
        '"user_id" in what is sent',
        '"operation" in what is sent',
        '"project" in what is sent',
        "one-call-or-many",
    ),
    Client(
        "vercel",
        "Vercel AI SDK",
        "Its telemetry is OpenTelemetry’s: the settings, and a few lines.",
        (
            Snippet("In its environment", ENVIRONMENT),
            Snippet("In the program, version 7", VERCEL),
            Snippet("With version 6, in place of registerTelemetry", VERCEL_6),
        ),
        f"{SPAN_USER}, or with version 6 metadata: {{ userId: … }}",
        "functionId in the call",
        SERVICE,
        "clients",
    ),
    Client(
        "claude-code",
        "Claude Code",
        "It tells each call in a log record; nothing of what is asked or answered is kept.",
        (Snippet("In the shell, or in env of its settings", CLAUDE_CODE),),
        "nothing: it is the account’s e-mail address where there is one",
        "nothing: it is claude-code",
        SERVICE,
        "coding-assistants",
    ),
    Client(
        "curl",
        "curl",
        "Any program can send its calls as JSON. This one is made up: try it.",
        (Snippet("In a shell", CURL),),
        '"user_id" in what is sent',
        '"operation" in what is sent',
        '"project" in what is sent',
        "one-call-or-many",
    ),
    Client(
        "files",
        "Files",
        "Logs and exports, as CSV or JSON, of any provider: what they are is seen before anything is recorded. Only "
        "timestamp and model are required.",
        (Snippet("For example", FILE), Snippet("Or from a program, a call a line", SEND_FILE)),
        "a column user_id",
        "a column operation",
        "a column project",
        "one-call-or-many",
        takes_files=True,
    ),
)
BY_NAME = {client.name: client for client in CLIENTS}


def filled_in(client: Client, site: str, key: str, now: str) -> Client:
    """Fill in the site's address (without a slash at its end), a key, and an instant as ISO 8601 has it."""
    snippets = tuple(
        replace(each, text=each.text.replace("{site}", site).replace("{key}", key).replace("{now}", now))
        for each in client.snippets
    )
    return replace(client, snippets=snippets)
