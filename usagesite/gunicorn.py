"""How gunicorn serves the site: one small machine, behind a proxy or by itself on this one."""

import contextlib
import socket
import sys
from typing import TYPE_CHECKING

from usagesite.settings import PORT

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

bind = f"127.0.0.1:{PORT}"
workers = 2
worker_class = "usagesite.server.worker.Worker"
asgi_lifespan = "off"
asgi_disconnect_grace_period = 0  # nobody works for who has gone; what a thread has begun it ends
preload_app = False  # each worker opens its own database connections
timeout = 60  # seconds: more than a body may take, or gunicorn ends it before us, and says that it was cut off
graceful_timeout = 4  # seconds; honcho kills after 5
loglevel = "warning"
control_socket_disable = True
forwarder_headers = ""  # none says where we are: a proxy may hand on what a client sends as SCRIPT_NAME


def on_starting(arbiter: "Arbiter") -> None:
    """End with one line where the port is taken; gunicorn by itself would try for five seconds."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError as error:
            sys.exit(f"Port {PORT} cannot be used ({error.strerror}). Set PORT to another one.")


def when_ready(arbiter: "Arbiter") -> None:
    sys.stdout.write(f"The site is at http://127.0.0.1:{PORT}/ - stop with Ctrl-C\n")
    sys.stdout.flush()
