"""What OpenTelemetry's signals say of calls: the translation, whichever way they came in."""
