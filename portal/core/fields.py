"""Columns that every app may use."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class KeyField(models.CharField):  # type: ignore[type-arg]  # as all fields of ours: plain values
    """Text that is compared and ordered by its code points, the same on every database.

    SQLite does so by itself; PostgreSQL would go by the language of the database, and pass over hyphens.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """As of any text, with the collation that has no language."""
        collation = "C" if connection.vendor == "postgresql" else None
        return {**super().db_parameters(connection), "collation": collation}
