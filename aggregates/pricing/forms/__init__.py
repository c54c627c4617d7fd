"""What people and programs say of prices and discounts: the same for pages, commands and the API."""
