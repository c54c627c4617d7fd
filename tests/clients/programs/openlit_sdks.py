"""The SDKs of OpenAI, Anthropic and Google under OpenLIT, which sends a log record of each call beside its span."""

import os

import openlit
from opentelemetry import _logs, metrics, trace
from people import PEOPLE
from sdk_calls import call_all
from spans import asked_by

openlit.init(pricing_json=os.devnull)  # else it asks for prices of today
for user, operation in PEOPLE:
    with asked_by(user, operation):
        call_all(user, operation)
for provider in (trace.get_tracer_provider(), _logs.get_logger_provider(), metrics.get_meter_provider()):
    provider.shutdown()
