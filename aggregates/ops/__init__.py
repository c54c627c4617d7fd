"""Running it: tasks, health, metrics, checks, demo."""
