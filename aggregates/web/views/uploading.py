"""Bodies that hold a file: refused before they are read where they are too large, or come from another site."""

from urllib.parse import urlsplit

from django.http import HttpRequest

from aggregates.ops import imports
from aggregates.ops.allowances import Allowance, Lane

BESIDE = 65_536  # bytes of a form beside its file
OURS = ("same-origin", "none")  # as browsers name where a request comes from


def largest_body() -> int:
    """Count the bytes of a form with the largest file that is taken."""
    return imports.largest() + BESIDE


# So few at once that files on their way do not fill the temporary folder.
UPLOADS = Allowance(Lane.FILE, largest_body, seconds=300, bodies=4, bodies_of_one=1, reads_bodies=True)


def is_too_large(request: HttpRequest) -> bool:
    """Say whether a body is longer than a form with the largest file; nothing of it is read."""
    return int(request.META.get("CONTENT_LENGTH") or 0) > largest_body()


def is_of_another_site(request: HttpRequest) -> bool:
    """Say whether a browser sends a form of another site, by its headers: the token of ours comes with the file."""
    came_from = request.headers.get("Sec-Fetch-Site", "")
    if came_from:
        return came_from not in OURS
    origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return bool(origin) and urlsplit(origin).netloc != request.get_host()
