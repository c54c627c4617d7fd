"""`make bench`: how long the work takes beside plain SQL that does the same to the same rows, in the same run.

Everything happens in databases of its own on a throw-away server. The ratios are what to look at: times depend on the
machine, and on what else it does.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
