"""The portal's own commands, where there is no portal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from portal.core.commands import PortalCommand

OURS = {name: app for name, app in get_commands().items() if app in {"portal", "vaults", "agents"}}
MAKES_IT = "prepare"


def test_each_asks_for_the_database() -> None:
    found = {name for name, app in OURS.items() if isinstance(load_command_class(app, name), PortalCommand)}
    assert found == set(OURS) - {MAKES_IT}


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("command", [["snapshots", "list", "hr-db-02"], ["add_administrator", "root"]])
def test_without_a_database_they_say_where_they_looked(tmp_path: Path, command: list[str], empty: bool) -> None:
    database = tmp_path / "strongroom.sqlite3"
    if empty:
        database.touch()
    bare = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}}
    ran = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=settings.BASE_DIR,
        env={**bare, "STRONGROOM_DATA": str(tmp_path)},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = f"CommandError: There is no portal database in {tmp_path}. Run this in the folder of the portal's sources, "
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1), ran.stderr
    assert ran.stderr.startswith(told)
    assert "STRONGROOM_DATA" in ran.stderr
    assert database.exists() is empty
