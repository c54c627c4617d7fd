"""What is shown where something failed: the request's id, which leads to its line in the log."""

from django.http import HttpRequest, HttpResponseServerError
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from aggregates.ops.requests import current_id


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponseServerError:
    """Render without the request: who is logged in would be asked of the database, which may be what failed."""
    return HttpResponseServerError(render_to_string("500.html", {"request_id": current_id()}))
