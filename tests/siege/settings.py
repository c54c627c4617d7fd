"""Settings of a site under siege: passwords are hashed as in production."""

from django.conf import global_settings

from tests.process_settings import *  # noqa: F403

PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
