"""How gunicorn serves the site: one small machine, behind a proxy or by itself on this one."""

import errno
import gc
import sys
from typing import TYPE_CHECKING

from usagesite import ports
from usagesite.env import with_port
from usagesite.settings import BIND, PORT, STOP_SECONDS, WEB_CONCURRENCY, WEB_TIMEOUT

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

bind = with_port(BIND, PORT)
workers = WEB_CONCURRENCY
timeout = WEB_TIMEOUT
worker_class = "usagesite.server.worker.Worker"
asgi_lifespan = "off"
asgi_disconnect_grace_period = 0  # nobody works for who has gone; what a thread has begun it ends
preload_app = False  # each worker opens its own database connections
graceful_timeout = STOP_SECONDS
loglevel = "warning"
control_socket_disable = True
forwarder_headers = ""  # none says where we are: a proxy may hand on what a client sends as SCRIPT_NAME


def on_starting(arbiter: "Arbiter") -> None:
    """End with one line where the address or the port cannot be used; gunicorn by itself would try for five seconds."""
    if error := ports.error_of(BIND, PORT):
        if error.errno == errno.EADDRNOTAVAIL:
            sys.exit(f"{BIND} is no address of this machine. Set BIND to one that is.")
        sys.exit(f"Port {PORT} cannot be used ({error.strerror}). Set PORT to another one.")


def post_worker_init(worker: "Worker") -> None:
    """Look for no garbage in what is loaded by now, as that stays, and holds up requests for as long as that takes; and
    let the first worker say how the first account is made."""
    gc.collect()
    gc.freeze()
    if worker.age == 1:
        from usagesite import first_link

        first_link.print_beside()


def when_ready(arbiter: "Arbiter") -> None:
    sys.stdout.write(f"The site is at http://{bind}/ - stop with Ctrl-C\n")
    sys.stdout.flush()
