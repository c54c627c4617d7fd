"""Days into aggregates, and the proof that they are right."""
