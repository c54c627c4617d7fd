"""GET /api/v1/notes: what is known of the days of a range, as charts show it."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from aggregates.api.endpoint import endpoint
from aggregates.api.reading import SECONDS, Parameters
from aggregates.db.snapshot import snapshot
from aggregates.db.standby import prefer_standby
from aggregates.models import ApiKey, Kind
from aggregates.pricing.price_changes import read_all_notes
from aggregates.query.notes import Note
from aggregates.query.selection import Selection


@endpoint(Kind.READ, method="GET", is_whole=True)
def notes(request: HttpRequest, key: ApiKey) -> HttpResponse:
    """Answer for a range; raises ApiError."""
    form = Parameters(request.GET, organization=key.organization, now=timezone.now())
    form.check()
    selection = form.selection
    found = _read(selection)
    return JsonResponse(
        {
            "organization": key.organization.slug,
            "time_zone": key.organization.time_zone,
            "from": selection.range.first.isoformat(),
            "to": selection.range.last.isoformat(),
            "notes": [_told(note) for note in found],
        }
    )


@prefer_standby
def _read(selection: Selection) -> tuple[Note, ...]:
    with snapshot(SECONDS):
        return read_all_notes(selection)


def _told(note: Note) -> dict[str, str | None]:
    return {
        "kind": note.kind.value,
        "from": note.first.isoformat(),
        "to": note.last.isoformat(),
        "text": note.text,
        "author": note.author or None,
    }
