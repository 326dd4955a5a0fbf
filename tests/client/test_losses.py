"""What protected places have lost: absence is not emptiness, and a loss is told until a person accepts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from strongroom_agent import losses, mounts, protected
from strongroom_agent.home import Home
from strongroom_agent.losses import Loss, Place
from strongroom_agent.protected import Protected


def fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}").write_text("x")


def looked(home: Home, *names: Path, accept: bool = False) -> list[tuple[str, int, int]]:
    """One backup's look, remembered as a backup does; name, had and has of each loss."""
    now = losses.look([protected.resolve(str(name)) for name in names], frozenset())
    lost = losses.against(home, now)
    losses.remember(home, now, lost, accept=accept)
    return [(each.name, each.had, each.has) for each in lost]


@pytest.mark.parametrize(
    ("had", "has", "lost"),
    [
        (100, 100, False),
        (100, 50, False),
        (100, 49, True),
        (10, 5, False),
        (10, 4, True),
        (5, 1, False),
        (1, 0, True),
        (0, 0, False),
        (3, 9, False),
    ],
)
def test_most_is_more_than_half_and_more_than_a_handful(tmp_path: Path, had: int, has: int, lost: bool) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder / "sub", had)
    assert looked(home, folder) == []
    for path in (folder / "sub").iterdir():
        path.unlink()
    fill(folder / "sub", has)
    assert looked(home, folder) == ([(str(folder), had, has)] if lost else [])


def test_a_loss_is_told_until_it_is_accepted_and_the_figures_stay(tmp_path: Path) -> None:
    home, folder, other = Home(tmp_path / "home"), tmp_path / "data", tmp_path / "other"
    fill(folder, 8)
    fill(other, 3)
    assert looked(home, folder, other) == []
    for path in folder.iterdir():
        path.unlink()
    fill(other, 20)
    for _ in range(3):
        assert looked(home, folder, other) == [(str(folder), 8, 0)]
    assert looked(home, folder, other, accept=True) == [(str(folder), 8, 0)]
    assert looked(home, folder, other) == []
    fill(folder, 2)
    assert looked(home, folder, other) == []
    for path in other.iterdir():
        path.unlink()
    assert looked(home, folder, other) == [(str(other), 20, 0)]


def test_a_name_that_is_missing_is_a_loss_even_if_it_was_never_seen(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    assert looked(home, folder) == [(str(folder), 0, 0)]
    assert looked(home, folder) == [(str(folder), 0, 0)]
    assert looked(home, folder, accept=True) == [(str(folder), 0, 0)]
    assert looked(home, folder) == []
    fill(folder, 2)
    assert looked(home, folder) == []
    (folder / "0").unlink()
    (folder / "1").unlink()
    folder.rmdir()
    assert looked(home, folder) == [(str(folder), 2, 0)]


def test_a_name_means_what_it_leads_to_now(tmp_path: Path) -> None:
    for release in ("41", "42"):
        fill(tmp_path / "releases" / release, 2)
    link = tmp_path / "current"
    link.symlink_to("releases/41")
    name = protected.named(str(link))
    assert name == str(link)
    assert protected.resolve(name) == Protected(name, f"{tmp_path}/releases/41")
    link.unlink()
    link.symlink_to("releases/42")
    assert protected.resolve(name).path == f"{tmp_path}/releases/42"
    link.unlink()
    link.symlink_to("releases/43")
    assert protected.resolve(name).path is None
    assert protected.named(f"{tmp_path}/current/../x") == f"{tmp_path}/releases/x"


def test_mounts_inside_are_places_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder / "disk", 4)
    fill(folder, 50)
    table = {"/": "ext4", f"{folder}/disk": "xfs"}
    monkeypatch.setattr(mounts, "table", lambda: table)
    assert looked(home, folder) == []
    del table[f"{folder}/disk"]
    for path in (folder / "disk").iterdir():
        path.unlink()
    assert looked(home, folder) == [(f"{folder}/disk", 4, 0)]
    table[f"{folder}/disk"] = "xfs"
    assert looked(home, folder) == [(f"{folder}/disk", 4, 0)]
    fill(folder / "disk", 4)
    assert looked(home, folder) == []


def test_files_of_a_mount_are_counted_once_in_all() -> None:
    lost = [Loss("/d", "/d", 100, 40, "x"), Loss("/d/m", "/d", 60, 0, "x"), Loss("/e", "/e", 5, 0, "x")]
    assert losses.total(lost) == 65


def test_damaged_figures_stop_no_backup(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    for text in ("{", "[]", '{"/d": 3}', '{"/d": {"files": "x", "root": "/d"}}', '{"/d": {"files": 1}}'):
        home.write_text("protected.json", text)
        assert losses.against(home, [Place("/d", "/d", 0, mounted=False)]) == []


def test_what_is_left_out_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "/": "ext4",
        "/proc": "proc",
        "/data/p": "proc",
        "/data/n": "nfs4",
        "/data/t": "tmpfs",
        "/data/s": "fuse.sshfs",
    }
    monkeypatch.setattr(mounts, "table", lambda: table)
    assert protected.left_out(["/data"], network=False) == {
        "/data/p": "proc",
        "/data/n": "nfs4",
        "/data/s": "fuse.sshfs",
    }
    assert protected.left_out(["/data"], network=True) == {"/data/p": "proc"}
    assert protected.left_out(["/data", "/data/n"], network=False) == {"/data/p": "proc", "/data/s": "fuse.sshfs"}
    assert protected.left_out(["/proc", "/proc/version"], network=False) == {}


def test_what_is_named_inside_of_what_is_left_out_is_kept(tmp_path: Path) -> None:
    for name in ("a/x", "a/y", "b"):
        fill(tmp_path / name, 1)
    assert protected.excludes([str(tmp_path)], [f"{tmp_path}/a/x"]) == [f"{tmp_path}/a/y", f"{tmp_path}/b"]
    assert protected.excludes([str(tmp_path)], [str(tmp_path)]) == []
    assert protected.excludes([f"{tmp_path}/b"], [f"{tmp_path}/a/x"]) == [f"{tmp_path}/b"]


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_real_mounts_are_left_out_or_counted(tmp_path: Path) -> None:
    """In a mount namespace of its own: a proc and a tmpfs inside of what is protected."""
    for name in ("proc", "ram"):
        (tmp_path / name).mkdir()
    code = (
        f"import json; from strongroom_agent import losses, protected; root = protected.resolve({str(tmp_path)!r});"
        "out = protected.left_out([root.path], network=False);"
        "print(json.dumps([out, [(p.name, p.files, p.mounted) for p in losses.look([root], frozenset(out))]]))"
    )
    script = (
        f"mount -t proc proc {tmp_path}/proc && mount -t tmpfs tmpfs {tmp_path}/ram && touch {tmp_path}/ram/a "
        f'{tmp_path}/b && exec {sys.executable} -c "$0"'
    )
    done = subprocess.run(
        ["/usr/bin/unshare", "-m", "sh", "-c", script, code], capture_output=True, text=True, check=True
    )
    out, places = json.loads(done.stdout)
    assert out == {f"{tmp_path}/proc": "proc"}
    assert sorted(places) == [[str(tmp_path), 2, False], [f"{tmp_path}/ram", 1, True]]
