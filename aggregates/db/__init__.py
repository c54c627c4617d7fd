"""What the database does for us beside keeping rows: locks, partitions of the log, states of days."""
