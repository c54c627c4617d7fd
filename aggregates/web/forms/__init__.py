"""Forms of pages that change something."""
