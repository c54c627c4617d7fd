"""What people see: views, pages, charts, files to download."""
