"""OTLP over HTTP: the signals of OpenTelemetry, what is kept of their requests, and what they are answered."""
