"""The pages: they parse, authorise, delegate and render."""
