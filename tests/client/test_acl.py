"""Access lists for Windows as they are written; that Windows takes them is seen under wine alone, and only that."""

from pathlib import Path

import pytest
from strongroom_agent.core import acl


@pytest.mark.parametrize(
    ("administrator", "folder", "expected"),
    [
        (True, True, "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"),
        (True, False, "O:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)"),
        (False, True, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"),
        (False, False, "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)"),
    ],
)
def test_nobody_else_is_let_in(administrator: bool, folder: bool, expected: str) -> None:
    """System, administrators, and the owner where that is neither; nothing inherited; everyone and users nowhere."""
    assert acl.described(administrator=administrator, folder=folder) == expected


def test_elsewhere_modes_say_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    acl.restrict(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750
    assert acl.foreign_owner(tmp_path) == ""
    assert acl.elevated() is False
