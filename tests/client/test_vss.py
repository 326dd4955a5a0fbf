"""Files of Windows are read from a snapshot of the file system where the run may make one, unless somebody said no."""

import pytest
from strongroom_agent.commands import schedule
from strongroom_agent.core import acl
from strongroom_agent.state import backup_options
from strongroom_agent.state.backup_options import BackupOptions

ASKED = "Files are read from a snapshot of the file system (VSS)."


@pytest.mark.parametrize(
    ("said", "elevated", "expected"),
    [
        (None, True, True),
        (None, False, False),
        (False, True, False),
        (False, False, False),
        (True, True, True),
        (True, False, True),
    ],
)
def test_who_decides(said: bool | None, elevated: bool, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acl, "elevated", lambda: elevated)
    options = BackupOptions(fs_snapshot=said)
    assert options.from_snapshot is expected
    assert (ASKED in schedule._about_options(options)) is expected


@pytest.mark.parametrize("stored", [None, True, False])
def test_what_was_kept_is_read_again(stored: bool | None) -> None:
    assert backup_options.read({"fs_snapshot": stored}).fs_snapshot is stored


@pytest.mark.parametrize("stored", [0, "no", []])
def test_anything_else_is_damage(stored: object) -> None:
    with pytest.raises(TypeError):
        backup_options.read({"fs_snapshot": stored})
