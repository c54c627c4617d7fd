"""The concurrency proof: writers, rollers and readers at once, and every answer compared with the sum over the log."""
