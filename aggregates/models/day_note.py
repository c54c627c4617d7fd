"""What people say about days."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from aggregates.models.organization import Organization, User

MAX_NOTE = 200  # characters


class DayNote(models.Model):
    """What happened on a day, or from `first` to `last`; the whole organization sees it."""

    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="day_notes")
    first = models.DateField("day")
    last = models.DateField("last day", null=True, blank=True)
    text = models.CharField("note", max_length=MAX_NOTE)
    author = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="day_note_says_something"),
            models.CheckConstraint(condition=Q(last=None) | Q(last__gte=F("first")), name="day_note_ends_after_start"),
            models.UniqueConstraint(fields=["organization", "first", "text"], name="day_note_once"),
        ]

    def __str__(self) -> str:
        return f"{self.first}: {self.text}"
