"""The SDKs of OpenAI, Anthropic and Google under OpenLLMetry."""

from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.google_generativeai import GoogleGenerativeAiInstrumentor
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from people import PEOPLE
from sdk_calls import call_all
from spans import asked_by, set_up

provider = set_up()
for instrumentor in (OpenAIInstrumentor, AnthropicInstrumentor, GoogleGenerativeAiInstrumentor):
    instrumentor().instrument()
for user, operation in PEOPLE:
    with asked_by(user, operation):
        call_all(user, operation)
provider.shutdown()
