"""What the pages show: everything that one of them needs, read in one snapshot."""
