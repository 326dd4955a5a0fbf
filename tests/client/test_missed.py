"""What restic could not back up: what vanished meanwhile is no matter of rights."""

import json
from pathlib import Path

from strongroom_agent.proof import unread


def newer(item: str, words: str) -> str:
    return json.dumps({"message_type": "error", "error": {"message": f"{words}"}, "during": "archival", "item": item})


def older(item: str, number: int) -> str:
    error = {"Op": "lstat", "Path": item, "Err": number}
    return json.dumps(
        {"message_type": "error", "error": error, "during": "archival", "item": item}, separators=(",", ":")
    )


def test_what_vanished_and_what_could_not_be_read_are_told_apart(tmp_path: Path) -> None:
    there, gone = str(tmp_path / "there"), str(tmp_path / "gone")
    Path(there).write_text("x")
    lines = [
        "some words",
        "{not json",
        "[1]",
        newer(gone, f"lstat {gone}: no such file or directory"),
        newer(there, f"open {there}: permission denied"),
        newer(there, f"open {there}: permission denied"),
        older(f"{gone}2", 2),
        older(f"{gone}3", 13),
        newer(f"{there}/below", f"lstat {there}/below: no such file or directory"),
        newer("/odd\ufffd", "lstat /odd\ufffd: no such file or directory"),
    ]
    unreadable, vanished = unread.sort(lines)
    assert unreadable == [there, f"{gone}3"]
    assert vanished == [gone, f"{gone}2", f"{there}/below", "/odd\ufffd"]


def test_what_is_there_again_was_missed_all_the_same(tmp_path: Path) -> None:
    assert unread.sort([newer(str(tmp_path), "no such file or directory")]) == ([str(tmp_path)], [])


def test_restic_that_names_nothing_is_not_believed() -> None:
    assert unread.sort([]) == (["something that restic did not name"], [])
