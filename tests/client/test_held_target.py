"""Root restores to a new or empty folder that lies where another user can rename folders and put links."""

import contextlib
import json
import os
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from strongroom_agent.core.errors import AgentError
from strongroom_agent.proof import free_room, handles, restoring, targets
from strongroom_agent.restic.engine import Engine

from .restores import engine
from .serving import Storage
from .stored import damage, objects, repository, truth
from .world import Ran, World

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="only root is led to what it alone may write")]
SOMEBODY = 65534
ATTACK = f"""
import os, sys
os.setgroups([]); os.setresgid({SOMEBODY}, {SOMEBODY}, {SOMEBODY}); os.setresuid({SOMEBODY}, {SOMEBODY}, {SOMEBODY})
swapped, target, outside = sys.argv[1:]
moved = swapped + ".moved"
os.set_blocking(0, False)
entered = rounds = 0

def goes(work, *arguments):
    try:
        work(*arguments)
    except OSError:
        return False
    return True

def told_to_stop():
    try:
        return os.read(0, 1) == b""
    except BlockingIOError:
        return False

while not told_to_stop():
    entered += goes(os.listdir, target) + goes(os.mkdir, target + "/theirs") + goes(os.chmod, target, 0o777)
    goes(os.rename, swapped, moved)
    goes(os.symlink, outside, swapped)
    rounds += 1
    if rounds == 1:
        print("begun", flush=True)
    goes(os.unlink, swapped)
    goes(os.rename, moved, swapped)
print(entered, rounds)
"""
"""What another user does all the time: the folder is moved away, a link is put in its place, and taken back."""


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of somebody else's with an empty one in it, `above/out`, beside one that nobody may write to."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "home" / "above" / "out").mkdir(parents=True)
        for each in (root / "home", *(root / "home").rglob("*")):
            os.chown(each, SOMEBODY, SOMEBODY)
        (root / "outside" / "out").mkdir(parents=True)
        yield root / "home" / "above"


def held(target: Path) -> contextlib.AbstractContextManager[targets.Target]:
    """The target while a restore runs."""
    return targets.prepared(str(target), overwrite=False, engine=Engine("restic", "0.18.0"))


@contextlib.contextmanager
def attack(swapped: Path, target: Path, outside: Path) -> Iterator[None]:
    """Somebody swaps a folder for a link while the block runs, and never comes into the target."""
    command = [sys.executable, "-c", ATTACK, str(swapped), str(target), str(outside)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield
        out, _ = process.communicate(timeout=60)
    entered, rounds = map(int, out.split())
    assert (entered, rounds > 100) == (0, True)


def during(monkeypatch: pytest.MonkeyPatch, around: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
    """Something that happens while restic writes."""
    original = restoring.restore

    def restore(*given: Any, **named: Any) -> restoring.Attempt:
        with around():
            return original(*given, **named)

    monkeypatch.setattr(restoring, "restore", restore)


def to(world: World, target: Path, *more: str, **environment: str) -> Ran:
    """Restore to a folder. Nobody reads of paths that nobody knows, whatever comes of it."""
    ran = world.run("restore", "--target", str(target), *more, **environment)
    assert "/proc/" not in json.dumps([ran.answer, ran.progress, *world.peer.runs.values()])
    return ran


def state(folder: Path) -> tuple[int, int, int]:
    """Mode, owner and group."""
    found = folder.lstat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is in a folder, with what a restore could change of it."""
    return {
        str(path): (*state(path), path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *sorted(folder.rglob("*")))
    }


@pytest.mark.system
@pytest.mark.parametrize("old", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("swapped", ["the folder", "the one above"])
def test_swapping_folders_leads_nothing_elsewhere(
    machine: World, theirs: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, old: bool
) -> None:
    outside = theirs.parents[1] / "outside"
    inside = Path(f"{outside}/out{machine.source}")
    (inside / "sub").mkdir(parents=True)
    (inside / "ledger.db").write_bytes(b"root's own")
    (inside / "ledger.db").chmod(0o600)
    before = everything(outside)
    folder, link = (theirs / "out", outside / "out") if swapped == "the folder" else (theirs, outside)
    during(monkeypatch, lambda: attack(folder, theirs / "out", link))
    ran = to(machine, theirs / "out", **engine(old))
    assert everything(outside) == before
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (0, "done", 2), ran
    assert ran.answer["target"] == str(theirs / "out")
    assert truth(Path(f"{theirs}/out{machine.source}")) == truth(machine.source)
    assert state(theirs / "out") == (0o755, SOMEBODY, SOMEBODY)


@pytest.mark.system
def test_a_name_that_leads_elsewhere_in_the_end_is_not_done(
    machine: World, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def moved_away() -> Iterator[None]:
        yield
        (theirs / "out").rename(theirs / "moved")
        (theirs / "out").mkdir()

    during(monkeypatch, moved_away)
    ran = to(machine, theirs / "out")
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (1, "restore_incomplete", 0), ran
    assert f"The folder {theirs}/out was moved away or replaced" in ran.answer["message"]
    assert machine.told == [("restore", "failed")]
    assert list((theirs / "out").iterdir()) == []
    assert truth(Path(f"{theirs}/moved{machine.source}")) == truth(machine.source)


@pytest.mark.system
@pytest.mark.parametrize("end", ["done", "restore_incomplete", "interrupted"])
def test_the_folder_is_closed_meanwhile_and_has_owner_and_mode_again(
    machine: World, storage: Storage, theirs: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    target, seen = theirs / "out", []
    target.chmod(0o2775)

    @contextlib.contextmanager
    def looked_at() -> Iterator[None]:
        seen.append(state(target))
        if end == "interrupted":
            raise KeyboardInterrupt
        yield

    if end == "restore_incomplete":
        for region in ("local-a", "local-b"):
            damage(objects(repository(storage, machine, region), "data")[0], "flipped")
    during(monkeypatch, looked_at)
    assert to(machine, target).answer["code"] == end
    assert set(seen) == {(0o2700, 0, SOMEBODY)}
    assert state(target) == (0o2775, SOMEBODY, SOMEBODY)


@pytest.mark.system
@pytest.mark.parametrize("old", [False, True])
def test_what_is_said_of_files_names_the_target(machine: World, storage: Storage, theirs: Path, old: bool) -> None:
    for region in ("local-a", "local-b"):
        damage(objects(repository(storage, machine, region), "data")[0], "flipped")
    ran = to(machine, theirs / "out", **engine(old))
    assert (ran.status, ran.answer["code"]) == (1, "restore_incomplete"), ran
    assert ran.answer["target"] == str(theirs / "out")
    renamed = f"{theirs}/out{machine.source}/ledger.db.strongroom-unproven"
    assert (renamed in ran.answer["renamed_first"]) is os.path.exists(renamed)
    assert all(os.path.exists(each) for each in ran.answer["renamed_first"])


@pytest.mark.system
def test_a_lack_of_room_names_the_target(machine: World, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_room, "_free", lambda _: 10)
    ran = to(machine, theirs / "out")
    assert (ran.status, ran.answer["code"]) == (1, "no_room")
    assert f"There is no room for it at {theirs}/out: " in ran.answer["message"]
    assert state(theirs / "out") == (0o755, SOMEBODY, SOMEBODY)


@pytest.mark.system
def test_what_was_put_into_it_before_it_was_closed_is_found(
    machine: World, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = handles.closed_to_others

    def closed_too_late(handle: int) -> contextlib.AbstractContextManager[None]:
        (theirs / "out" / "home").symlink_to("/etc")
        return closed(handle)

    monkeypatch.setattr(handles, "closed_to_others", closed_too_late)
    ran = to(machine, theirs / "out")
    assert (ran.status, ran.answer["code"]) == (1, "target_not_empty"), ran
    assert machine.told == []
    assert [path.name for path in (theirs / "out").iterdir()] == ["home"]
    assert state(theirs / "out") == (0o755, SOMEBODY, SOMEBODY)


@pytest.mark.parametrize("kind", ["link", "theirs", "open", "full"])
def test_not_everything_called_lost_and_found_is_that_of_a_fresh_disk(theirs: Path, kind: str) -> None:
    target, fresh = theirs / "out", theirs / "out" / "lost+found"
    fresh.mkdir(mode=0o700)
    with held(target):
        pass
    if kind == "link":
        fresh.rename(theirs / "elsewhere")
        fresh.symlink_to(theirs / "elsewhere")
    elif kind == "theirs":
        os.chown(fresh, SOMEBODY, SOMEBODY)
    elif kind == "open":
        fresh.chmod(0o777)
    else:
        (fresh / "link").symlink_to("/etc")
    with pytest.raises(AgentError, match=r"lost\+found is in it") as refused, held(target):
        pass
    assert refused.value.code == "target_not_empty"


@pytest.mark.parametrize("named", [["/proc/1/fd/3/a"], []])
def test_a_disk_that_fails_is_told_by_its_name(named: list[str]) -> None:
    held = targets.Target("/out", "/proc/1/fd/3")
    with pytest.raises(OSError, match="Input/output error") as raised, held.speaking():
        raise OSError(5, "Input/output error", *named)
    assert str(raised.value) == "[Errno 5] Input/output error" + (": '/out/a'" if named else "")


def test_a_folder_that_cannot_be_closed_is_refused(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network disk where root is nobody."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(AgentError, match="other users may write to it") as refused:
        held(theirs / "out").__enter__()
    assert (refused.value.code, "--overwrite" in refused.value.remedy) == ("target_unusable", True)
    assert state(theirs / "out") == (0o755, SOMEBODY, SOMEBODY)


@pytest.mark.parametrize("kind", ["the folder", "the one above", "where nothing is yet"])
def test_a_link_of_somebody_elses_is_not_followed(theirs: Path, kind: str) -> None:
    """Put there before the restore began: it led to whatever empty folder they liked."""
    outside = theirs.parents[1] / "outside"
    if kind == "the folder":
        (theirs / "out").rmdir()
        (link := theirs / "out").symlink_to(outside / "out")
    elif kind == "where nothing is yet":
        (link := theirs / "deep").symlink_to(outside / "new" / "deep")
    else:
        theirs.rename(theirs.parent / "moved")
        (link := theirs).symlink_to(outside)
    os.lchown(link, SOMEBODY, SOMEBODY)
    before = everything(outside)
    target = {"the folder": theirs / "out", "the one above": theirs / "new"}.get(kind, theirs / "deep")
    with pytest.raises(AgentError, match="is a link that another user may have put there") as refused, held(target):
        pass
    assert (refused.value.code, everything(outside)) == ("target_unusable", before)


def test_a_link_of_roots_in_a_folder_of_somebody_elses_is_not_followed(theirs: Path) -> None:
    """They may have moved it there from where root had put it."""
    (theirs / "data").symlink_to(theirs.parents[1] / "outside")
    with pytest.raises(AgentError, match="above/data is a link that another user may have put there"):
        held(theirs / "data" / "new").__enter__()


def test_a_link_of_somebody_elses_in_a_folder_for_all_is_not_followed(theirs: Path) -> None:
    shared = theirs.parents[1] / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "link").symlink_to(theirs.parents[1] / "outside")
    with held(shared / "link" / "new"):
        pass
    os.lchown(shared / "link", SOMEBODY, SOMEBODY)
    with pytest.raises(AgentError, match="is a link that another user may have put there"):
        held(shared / "link" / "new").__enter__()


def test_links_of_roots_where_only_root_puts_them_are_followed(theirs: Path) -> None:
    root = theirs.parents[1]
    (root / "disk").symlink_to("outside/../outside")
    (root / "far").symlink_to(root / "disk")
    with held(root / "far" / "." / "new") as target:
        assert (target.name, Path(target.path).stat()) == (f"{root}/outside/new", (root / "outside" / "new").stat())
    assert everything(root / "outside").keys() == {str(root / "outside"), str(root / "outside" / "out")}
    (root / "round").symlink_to("round")
    with pytest.raises(AgentError, match="Too many levels of symbolic links"):
        held(root / "round").__enter__()


def test_a_folder_exchanged_as_soon_as_it_was_made_is_refused(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = os.mkdir

    def and_exchanged(name: str, mode: int, *, dir_fd: int) -> None:
        made(name, mode, dir_fd=dir_fd)
        (theirs / "new").rename(theirs / "roots")
        made(theirs / "new")
        os.chown(theirs / "new", SOMEBODY, SOMEBODY)

    monkeypatch.setattr(os, "mkdir", and_exchanged)
    with pytest.raises(AgentError, match="another user has exchanged it") as refused:
        held(theirs / "new").__enter__()
    assert (refused.value.code, "only this user can change" in refused.value.remedy) == ("target_unusable", True)


def test_without_proc_nothing_is_restored_by_name(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "path_of", lambda _: None)
    with pytest.raises(AgentError, match="there is no /proc") as refused:
        held(theirs / "out").__enter__()
    assert (refused.value.code, state(theirs / "out")) == ("target_unusable", (0o755, SOMEBODY, SOMEBODY))
    with pytest.raises(AgentError):
        held(theirs / "new").__enter__()
    assert not (theirs / "new").exists()


def everybodys() -> bytes:
    """A default list of access: whatever is made in the folder is open to SOMEBODY, and to all."""
    entries = [(0x01, 7, -1), (0x02, 7, SOMEBODY), (0x04, 7, -1), (0x10, 7, -1), (0x20, 7, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *each) for each in entries)


@pytest.mark.system
@pytest.mark.parametrize("old", [False, True])
def test_what_is_made_gets_no_access_list_from_the_folder(machine: World, theirs: Path, old: bool) -> None:
    """Whoever owned the folder could read, and write to, what was restored to it (with restic 0.14)."""
    os.setxattr(theirs / "out", "system.posix_acl_default", everybodys())
    ran = to(machine, theirs / "out", **engine(old))
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    lists = {path: os.listxattr(path, follow_symlinks=False) for path in (theirs / "out").rglob("*")}
    assert {path: found for path, found in lists.items() if any("posix_acl" in name for name in found)} == {}
    assert os.getxattr(theirs / "out", "system.posix_acl_default") == everybodys()
