"""Entry point for web servers with an event loop: the site as the Procfile starts it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")

wsgi = get_wsgi_application()  # before anything of Django's models is imported

from usagesite.server.application import Application  # noqa: E402

application = Application(wsgi)
