"""Settings of a process that is measured: static files as in production, compressed and with names of their content."""

from tests.process_settings import *  # noqa: F403
from tests.process_settings import STORAGES

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
