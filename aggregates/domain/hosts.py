"""Names of hosts."""

THIS_MACHINE = frozenset(("localhost", "127.0.0.1", "[::1]"))  # as it calls itself
