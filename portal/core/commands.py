"""What the portal's own commands of manage.py share."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from portal.core.errors import DATABASE_AWAY


class PortalCommand(BaseCommand):
    """A command for a portal that is there: without its database it says so in one line, and where it looked."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """As Django's; raises CommandError when there is no database, or nothing in it."""
        _require_database()
        return super().execute(*args, **options)


def _require_database() -> None:
    """By name before it is opened, where it is a file: SQLite would make an empty one.

    Of a database that is away the command hears by itself, where it needs it.
    """
    in_a_file = connection.vendor == "sqlite" and not connection.is_in_memory_db()  # type: ignore[attr-defined]
    place = Path(connection.settings_dict["NAME"]).parent if in_a_file else "the database of DATABASE_URL"
    if in_a_file and not Path(connection.settings_dict["NAME"]).exists():
        raise _absent(place)
    try:
        known = MigrationRecorder(connection).has_table()
    except DATABASE_AWAY:
        return
    if not known:
        raise _absent(place)


def _absent(place: object) -> CommandError:
    return CommandError(
        f"There is no portal database in {place}. Run this in the folder of the portal's sources, with the environment"
        " of make run: STRONGROOM_DATA says where its data is."
    )
