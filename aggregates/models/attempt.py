"""Attempts to log in, counted so that passwords cannot be guessed."""

from django.db import models


class AttemptCount(models.Model):
    """How often something was tried within the period that ends at `until`.

    `key` is a keyed hash of what is counted: the table names nobody. In the database the table is unlogged: counting an
    attempt waits for no disk, and a crash forgets the count.
    """

    key = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField(db_index=True)
    number = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.number} until {self.until}"
