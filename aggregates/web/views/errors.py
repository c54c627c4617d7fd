"""What is shown where something failed: the request's id, which leads to its line in the log."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from aggregates.ops.requests import current_id, forget_failure
from aggregates.web.views.time_limits import unavailable


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Render without the request: who is logged in would be asked of the database, which may be what failed.

    Django calls this while it handles the error. Where it is the database's, as of middleware that writes a session,
    nothing of ours failed.
    """
    error = sys.exception()
    if error and (response := unavailable(error)):
        forget_failure()
        return response
    return HttpResponseServerError(render_to_string("500.html", {"request_id": current_id()}))
