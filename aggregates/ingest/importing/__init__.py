"""Reading calls out of files that others wrote."""
