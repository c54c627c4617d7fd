"""Faults, injected into real processes: after each, what was acknowledged is in the log once, and all equals it."""
