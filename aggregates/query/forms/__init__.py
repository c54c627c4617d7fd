"""What people and programs ask for, checked: each form says which field is wrong, and what was expected."""
