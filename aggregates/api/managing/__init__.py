"""Managing an organization over HTTP: what its pages do, by the same functions and with the same words."""
