"""What the calling shell, its environment and its terminal change about a run: nothing."""

import os
from pathlib import Path

import pytest
from strongroom_agent.core import surroundings


def test_restic_sees_what_is_written_down_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "ALL_PROXY",
        "no_proxy",
        "TMPDIR",
        "TZ",
        "GODEBUG",
        "GOMAXPROCS",
        "RESTIC_HOST",
        "LC_ALL",
    ):
        monkeypatch.setenv(name, "anything")
    monkeypatch.setenv("PATH", "/somewhere")
    alone = {
        "PATH": "/somewhere",
        "HOME": "/cache/tmp",
        "TMPDIR": "/cache/tmp",
        "TMP": "/cache/tmp",
        "TEMP": "/cache/tmp",
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "RESTIC_PROGRESS_FPS": "1",
    }
    assert surroundings.environment("/cache/tmp") == alone
    proxied = surroundings.environment("/cache/tmp", "http://proxy:3128")
    assert proxied == alone | {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ""}


def test_temporary_files_lie_in_the_cache_folder_and_leftovers_go(tmp_path: Path) -> None:
    folder = Path(surroundings.temporary_folder(tmp_path / "cache"))
    assert folder == tmp_path / "cache" / "tmp"
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "restic-temp-pack-1").write_bytes(os.urandom(10))
    surroundings.clear_temporary(tmp_path / "cache")
    assert list(folder.iterdir()) == []
