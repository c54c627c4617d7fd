"""What pages show, as files: every one adds up to the totals of the page that it is of."""
