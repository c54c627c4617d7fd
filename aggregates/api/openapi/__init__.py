"""How the API describes itself: an address each, and the document of all."""
