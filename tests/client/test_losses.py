"""What protected places have lost: absence is not emptiness, and a loss is told until a person accepts it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from strongroom_agent.core import mounts
from strongroom_agent.core.patterns import Skip
from strongroom_agent.proof import losses
from strongroom_agent.proof.losses import Loss, Place
from strongroom_agent.state import protected
from strongroom_agent.state.home import Home
from strongroom_agent.state.protected import Protected


def fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}").write_text("x")


def looked(home: Home, *names: Path, accept: bool = False) -> list[tuple[str, int, int]]:
    """One backup's look, remembered as a backup does; name, had and has of each loss."""
    now = losses.look([protected.resolve(str(name)) for name in names], Skip(()))
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


MIB = 1024**2


def sized(path: Path, size: int) -> None:
    """A file of that length, which takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("had", "has", "lost"),
    [
        (20 * MIB, 10 * MIB - 1, True),
        (20 * MIB, 10 * MIB, False),
        (10 * MIB + 1, 1, True),
        (10 * MIB, 1, False),
        (400_000, 0, False),
        (1, 20 * MIB, False),
    ],
)
def test_most_of_the_bytes_counts_where_it_is_noticeable(tmp_path: Path, had: int, has: int, lost: bool) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    for number in range(30):
        sized(folder / f"{number}", 0)
    sized(folder / "big", had)
    assert looked(home, folder) == []
    sized(folder / "big", has)
    assert looked(home, folder) == ([(str(folder), 31, 31)] if lost else [])
    told = losses.against(home, losses.look([protected.resolve(str(folder))], Skip(())))
    assert [" has lost most of its bytes: " in str(each) for each in told] == ([True] if lost else [])


@pytest.mark.parametrize(("files", "length", "lost"), [(20, 0, True), (19, 1, False), (1, 10 * MIB, True)])
def test_a_whole_folder_directly_in_a_protected_one_is_missed(
    tmp_path: Path, files: int, length: int, lost: bool
) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder / "kept" / "deep", 300)
    sized(folder / "kept" / "more", 100 * MIB)
    for number in range(files):
        sized(folder / "bin" / "deep" / f"{number}", length)
    assert looked(home, folder) == []
    shutil.rmtree(folder / "bin")
    for _ in range(2):
        assert looked(home, folder) == ([(f"{folder}/bin", files, 0)] if lost else [])
    assert looked(home, folder, accept=True) == ([(f"{folder}/bin", files, 0)] if lost else [])
    assert looked(home, folder) == []


def test_a_folder_that_shrinks_is_not_one_that_is_gone(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder / "kept", 300)
    fill(folder / "cache", 25)
    assert looked(home, folder) == []
    for number in range(24):
        (folder / "cache" / f"{number}").unlink()
    assert looked(home, folder) == []
    (folder / "cache" / "24").unlink()
    assert looked(home, folder) == []


@pytest.mark.parametrize(("files", "length"), [(1, 11 * MIB), (30, 1), (40, MIB)])
def test_folders_that_take_turns_are_not_missed_and_one_that_nothing_makes_up_for_is(
    tmp_path: Path, files: int, length: int
) -> None:
    """A folder for each day, seven of them kept, of sizes that differ somewhat."""
    home, folder = Home(tmp_path / "home"), tmp_path / "data"

    def make(day: int) -> None:
        for number in range(files + day % 3 * files // 8):
            sized(folder / f"day {day}" / f"{number}", length + day % 3 * length // 8)

    for day in range(7):
        make(day)
    assert looked(home, folder) == []
    for day in range(7, 17):
        make(day)
        shutil.rmtree(folder / f"day {day - 7}")
        assert looked(home, folder) == [], day
    had = len(list((folder / "day 12").iterdir()))
    shutil.rmtree(folder / "day 12")
    lost = [(f"{folder}/day 12", had, 0)]
    assert looked(home, folder) == lost
    make(17)  # what makes up for a loss later does not take it back
    assert looked(home, folder) == lost
    assert looked(home, folder, accept=True) == lost
    assert looked(home, folder) == []


def test_folders_of_a_release_are_known_by_the_name_of_the_link(tmp_path: Path) -> None:
    home, link = Home(tmp_path / "home"), tmp_path / "current"
    for release in ("41", "42"):
        fill(tmp_path / "releases" / release / "bin", 30)
        fill(tmp_path / "releases" / release / "lib", 300)
    link.symlink_to("releases/41")
    assert looked(home, link) == []
    link.unlink()
    link.symlink_to("releases/42")
    assert looked(home, link) == []
    shutil.rmtree(tmp_path / "releases" / "42" / "bin")
    assert looked(home, link) == [(f"{link}/bin", 30, 0)]


def test_the_folders_of_a_disk_that_was_away_are_still_known(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder / "bin", 30)
    fill(folder / "lib", 300)
    assert looked(home, folder) == []
    folder.rename(tmp_path / "away")
    assert looked(home, folder) == [(str(folder), 330, 0)]
    (tmp_path / "away").rename(folder)
    shutil.rmtree(folder / "bin")
    assert looked(home, folder) == [(f"{folder}/bin", 30, 0)]


def test_figures_of_an_older_version_know_no_bytes(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "data"
    fill(folder, 3)
    home.write_object("protected.json", {str(folder): {"root": str(folder), "files": 3, "mounted": False}})
    assert looked(home, folder) == []
    assert json.loads((tmp_path / "home" / "protected.json").read_text())[str(folder)]["bytes"] == 3


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
        "import json; from strongroom_agent.proof import losses; from strongroom_agent.state import protected;"
        f"root = protected.resolve({str(tmp_path)!r});"
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
