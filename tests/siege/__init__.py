"""`make siege`: the site under attack by clients that are slow, or ask for much, while others want to read and record.

Everything happens in a database of its own on a throw-away server, and one attack after the other.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
