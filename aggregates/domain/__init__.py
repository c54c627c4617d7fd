"""The vocabulary, without a database: calls, days, measures, dimensions, money, ranges, and how each is written."""
