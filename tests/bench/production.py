"""Settings of a process that the bench measures: static files as in production, named by content and compressed."""

from tests.process_settings import *  # noqa: F403
from tests.process_settings import STORAGES

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
