"""Setup against a real restic, a real rclone and a test portal."""

import pytest

from .world import World

pytestmark = pytest.mark.system


def test_setup_backs_up_restores_compares_and_reports(world: World) -> None:
    ran = world.setup()
    assert ran.status == 0, ran
    assert ran.answer["restore_check"] | {"snapshot": ""} == {
        "snapshot": "",
        "compared": 12,
        "compared_bytes": 33066,
        "total": 12,
        "changed": 0,
        "mismatched": 0,
    }
    assert [(run["kind"], run["outcome"]) for run in world.peer.runs.values()] == [
        ("backup", "succeeded"),
        ("restore_check", "succeeded"),
    ]
