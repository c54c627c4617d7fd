"""The tests' settings for a process that a test starts: it works on the database of that test."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, LOGGING, Q_CLUSTER

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
# A cluster looks for due schedules as soon as it starts, and not only after half a minute; and says when it is up.
Q_CLUSTER = {**Q_CLUSTER, "guard_cycle": 30}
LOGGING["loggers"]["django-q"]["level"] = "INFO"
