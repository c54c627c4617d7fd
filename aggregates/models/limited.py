"""What lets its holder see a part of an organization's usage only."""

from django.db import models

from aggregates.domain.scopes import Scope


class Limited(models.Model):
    """A place, a promise of one, or a key; without limits its holder sees all usage."""

    limited_to = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text="The values that may be seen, by dimension: {“project”: [“alpha”]}. Empty: everything.",
    )

    class Meta:
        abstract = True

    @property
    def scope(self) -> Scope:
        return Scope.of(self.limited_to)
