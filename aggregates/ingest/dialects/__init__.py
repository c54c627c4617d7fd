"""How others write calls down: each file reads one such form into the fields of a call."""
