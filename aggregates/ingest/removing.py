"""Removing an organization with all that it has: the one exception to sums that are never lost."""

from django.db import connection, transaction
from psycopg.sql import SQL

from aggregates.db.sql import table, text
from aggregates.models import Organization, UsageLog

DELETE = text(SQL("DELETE FROM {} WHERE organization_id = %s").format(table(UsageLog)))


def remove_organization(organization: Organization) -> int:
    """Delete its calls, days, aggregates, keys and memberships, all or nothing; return the number of rows of the log.

    Whoever records calls for it meanwhile is refused by the database, and so is whoever rolls them up.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        Organization.objects.select_for_update().get(pk=organization.pk)
        cursor.execute(DELETE, [organization.pk])
        rows: int = cursor.rowcount
        organization.delete()  # and by its foreign keys all other tables
    return rows
