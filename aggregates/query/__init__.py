"""From a question to rows: selection, query, planner, scans, statements, runner, answer."""
