"""POST /v1/traces: the spans that OpenTelemetry's instrumentations make of calls, as OTLP/HTTP brings them."""
