"""Notes on days: an organization's admins make them."""

from datetime import date

from django.db import transaction
from django.db.models import QuerySet

from aggregates.db.locks import Lock, take
from aggregates.models import DayNote, Organization, User

MOST = 1_000  # notes of an organization


class CannotNote(ValueError):
    """There is such a note already, or there are too many; the message says so to people."""


def notes_of(organization: Organization) -> QuerySet[DayNote]:
    """List an organization's notes, the latest day first."""
    return DayNote.objects.filter(organization=organization).select_related("author").order_by("-first", "pk")


def add(organization: Organization, first: date, last: date | None, text: str, author: User | None) -> DayNote:
    """Note something on a day, or on all days through `last`; raises CannotNote."""
    note = DayNote(organization=organization, first=first, last=last, text=text, author=author)
    with transaction.atomic():
        take(Lock.SAVED, organization.pk % 2**31)
        notes = DayNote.objects.filter(organization=organization)
        if notes.filter(first=first, text=text).exists():
            raise CannotNote("This is noted on that day already.")
        if notes.count() >= MOST:
            raise CannotNote(f"There are {MOST:,} notes already: delete some that nobody needs.")
        note.save()
    return note


def delete(organization: Organization, number: int) -> DayNote:
    """Delete a note; raises DayNote.DoesNotExist."""
    note = DayNote.objects.get(organization=organization, pk=number)
    DayNote.objects.filter(pk=note.pk).delete()
    return note
