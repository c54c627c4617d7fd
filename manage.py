#!/usr/bin/env python
"""Django's command line for this site."""

import logging
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "usagesite.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        if settings.LOG_FORMAT != "json":
            raise  # Python's own words are for people
        logging.getLogger("manage").critical(
            "A command failed.", exc_info=error, extra={"fields": {"command": sys.argv[1]}}
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
