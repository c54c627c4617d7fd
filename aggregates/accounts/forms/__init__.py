"""What people and programs say of members, keys, views and settings: the same for pages, commands and the API."""
