"""What a start refuses, each with one line that says what to do."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from deploy.runner import folder, ports, programs
from deploy.runner.refused import Refused


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, wherever pytest keeps its own: sockets lie below what these tests make."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_folder_is_made_and_private(tmp_path: Path) -> None:
    """With everything that parts expect in it."""
    made = folder.usable(tmp_path / "new" / "data")
    assert made.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in made.iterdir()) == ["broker", "edge", "gateway", "logs", "run"]


@pytest.mark.parametrize("name", ["with space", "quo'te", "per%cent", "{brace}", "new\nline", "ä"])
def test_a_folder_with_an_odd_name_is_refused(tmp_path: Path, name: str) -> None:
    """Some of the programs would not understand its path."""
    with pytest.raises(Refused, match="needs a path of plain letters"):
        folder.usable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_long_path_is_refused(tmp_path: Path) -> None:
    """Sockets could not be made in it."""
    with pytest.raises(Refused, match="too long for sockets; set STRONGROOM_DATA"):
        folder.usable(tmp_path / ("a" * 100))


def test_the_longest_name_of_a_region_counts() -> None:
    folder.check_sockets(Path("/" + "a" * 77), ["local-a"])
    for place, slugs, over in (("/" + "a" * 78, ["local-a"], 1), ("/" + "a" * 77, ["b", "frankfurt-2", "local-a"], 4)):
        with pytest.raises(Refused, match=rf"\.sock is {over} bytes too long"):
            folder.check_sockets(Path(place), slugs)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Here because a file is in its place, which stops root too."""
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be written"):
        folder.usable(tmp_path / "file" / "data")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is a file; set STRONGROOM_DATA to a folder"):
        folder.usable(tmp_path / "file")


MADE = ["run", "logs", "broker", "edge", "gateway"]
FOLDERS = ["secrets", "pki", "storage", "agents", "static"]
FILES = ["secrets/secret_key", "pki/keys.json", "regions.toml", "rclone.conf", "demo-accounts.json", "whatever-else"]
DATABASE = ["strongroom.sqlite3", "strongroom.sqlite3-wal", "strongroom.sqlite3-shm"]
OTHERS = ["", *MADE, *FOLDERS, *FILES, *DATABASE]


def filled(data: Path) -> Path:
    """A data folder with all that lies in it after a while."""
    folder.usable(data)
    for name in FOLDERS:
        (data / name).mkdir(mode=0o700)
    for name in (*FILES, *DATABASE):
        (data / name).touch(mode=0o600)
    return data


def test_a_folder_that_only_we_can_write_is_taken(tmp_path: Path) -> None:
    """Below /tmp too, where everybody can write but nobody can rename what is ours."""
    assert folder.usable(filled(tmp_path / "d")) == tmp_path / "d"


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("mode", [0o722, 0o702, 0o777, 0o1777])
def test_what_others_can_write_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """With the command that mends it, which does."""
    data = filled(tmp_path / "d")
    path = data / name
    path.chmod(mode)
    told = rf"{path} \(mode {mode:04o}\) can be written by other users.* chmod go-w {path}$"
    with pytest.raises(Refused, match=told):
        folder.usable(data)
    subprocess.run([shutil.which("chmod") or "", "go-w", str(path)], check=True)
    assert folder.usable(data) == data


def test_a_folder_above_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """They could put another folder in the place of ours. With the sticky bit they cannot."""
    above = tmp_path / "above"
    above.mkdir()
    data = filled(above / "further" / "d")
    above.chmod(0o777)
    with pytest.raises(Refused, match=rf"{above} \(mode 0777\) can be written by other users"):
        folder.usable(data)
    above.chmod(0o1777)
    assert folder.usable(data) == data


@pytest.mark.parametrize("name", ["", "secrets", "regions.toml", "storage", "strongroom.sqlite3"])
def test_where_links_lead_counts(tmp_path: Path, name: str) -> None:
    """Not only where they lie."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    data = filled(tmp_path / "d")
    path = data / name
    moved = path.rename(elsewhere / "moved")
    path.symlink_to(moved)
    assert folder.usable(data) == data
    elsewhere.chmod(0o777)
    with pytest.raises(Refused, match=rf"{elsewhere} \(mode 0777\) can be written by other users"):
        folder.usable(data)


@pytest.mark.parametrize("mode", [0o777, 0o666])
def test_what_a_link_leads_to_must_be_ours_too(tmp_path: Path, mode: int) -> None:
    """As storage on a disk of its own, which is mounted elsewhere."""
    data, elsewhere = filled(tmp_path / "d"), tmp_path / "elsewhere"
    (data / "storage").rename(elsewhere)
    (data / "storage").symlink_to(elsewhere)
    elsewhere.chmod(mode)
    with pytest.raises(Refused, match=rf"{data}/storage \(mode {mode:04o}\) can be written by other users"):
        folder.usable(data)


def test_what_is_read_by_others_or_holds_nothing_is_taken(tmp_path: Path) -> None:
    """Modes that a umask of 022 gives, links to nothing (an editor's), sockets, and what lies deep in storage: there
    may be millions of files, which nobody else reaches."""
    data = filled(tmp_path / "d")
    for name in OTHERS:
        (data / name).chmod(0o755 if (data / name).is_dir() else 0o644)
    (data / ".#regions.toml").symlink_to("somebody@somewhere.1234")
    deep = data / "storage" / "region"
    deep.mkdir()
    deep.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / "socket"))
        (data / "socket").chmod(0o777)
        assert folder.usable(data) == data
    assert (data / "run").stat().st_mode & 0o777 == 0o700


def test_a_file_that_goes_meanwhile_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that runs on the folder, and stops, removes the database's files; the lock is looked at later."""
    data = filled(tmp_path / "d")
    original = Path.iterdir

    def listed(self: Path) -> Iterator[Path]:
        found = list(original(self))
        (data / "strongroom.sqlite3-wal").unlink(missing_ok=True)
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", listed)
    assert folder.usable(data) == data


def test_what_cannot_be_looked_at_is_refused_in_a_line(tmp_path: Path) -> None:
    data = filled(tmp_path / "d")
    (data / "round").symlink_to(data / "round")
    with pytest.raises(Refused, match=rf"^{data}/round cannot be looked at \(Too many levels of symbolic links\)\.$"):
        folder.usable(data)


@pytest.mark.parametrize("name", OTHERS)
def test_what_belongs_to_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever that is, unless it is root."""
    data = filled(tmp_path / "d")
    stranger = 65534
    original = Path.stat

    def of_a_stranger(self: Path, **options: bool) -> os.stat_result:
        state = original(self, **options)
        return os.stat_result((*state[:4], stranger, *state[5:10])) if self == data / name else state

    monkeypatch.setattr(Path, "stat", of_a_stranger)
    told = rf"{data / name} belongs to another user \(id {stranger}\).* chown {os.geteuid()} {data / name}$"
    with pytest.raises(Refused, match=told):
        folder.usable(data)


def test_a_group_of_the_owner_alone_is_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with umask 002; not when somebody else is in it, nor when it is another's."""
    data = filled(tmp_path / "d")
    data.chmod(0o770)
    gid = data.stat().st_gid
    user = pwd.struct_passwd(("us", "x", os.geteuid(), gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    for name, members, fits in (("us", [], True), ("us", ["us"], True), ("us", ["other"], False), ("all", [], False)):
        group = grp.struct_group((name, "x", gid, members))
        monkeypatch.setattr(grp, "getgrgid", lambda gid, group=group: group)
        with nullcontext() if fits else pytest.raises(Refused, match="can be written by other users"):
            folder.usable(data)


def test_one_start_at_a_time(tmp_path: Path) -> None:
    """The second learns the process of the first; after that one has gone, the next may."""
    data = folder.usable(tmp_path / "d")
    with (
        folder.lock(data),
        pytest.raises(Refused, match=rf"already runs on the data folder {data} \(process {os.getpid()}\)"),
    ):
        folder.lock(data)
    folder.lock(data).close()


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 - listeners that a start must see
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that somebody listens on, at each of the addresses that count."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as Caddy does, which would hide it
        listener.bind((request.param, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_refused(taken: int) -> None:
    """Whatever address of this machine it is taken at."""
    with pytest.raises(Refused, match=rf"^port {taken} is taken by another program; set PORT to a free one\.$"):
        ports.check({"PORT": taken})


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    """By name."""
    with pytest.raises(Refused, match=f"EDGE_PORT={port} is not a port"):
        ports.check({"EDGE_PORT": port})


def test_one_port_for_both_is_refused() -> None:
    """People and machines have different rules."""
    with pytest.raises(Refused, match="PORT and EDGE_PORT must differ"):
        ports.check({"PORT": 8000, "EDGE_PORT": 8000})


def program(path: Path, answer: str) -> str:
    """A program that says `answer`."""
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("variable", "answer", "message"),
    [
        ("RCLONE", "rclone v1.74.9", r"rclone 1\.74\.9, but 1\.75 or later is needed .*; set RCLONE to a newer one"),
        ("RCLONE", "rclone v1.60.1-DEV", r"rclone 1\.60\.1, but 1\.75"),
        ("CADDY", "v2.11.6 h1:abc=", r"caddy 2\.11\.6, but 2\.11\.7 or later"),
        ("CADDY", "2.6.2", "does not tell its version"),
        ("VALKEY_SERVER", "Redis server v=5.0.14 sha=00000000", r"valkey-server 5\.0\.14, but 6\.2 or later"),
    ],
)
def test_an_old_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, answer: str, message: str
) -> None:
    """With what it is, what is needed, why, and how to give another."""
    monkeypatch.setenv(variable, program(tmp_path / "old", answer))
    with pytest.raises(Refused, match=message):
        programs.find(own_broker=True)


def test_a_missing_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable that named it."""
    monkeypatch.setenv("CADDY", str(tmp_path / "caddy"))
    with pytest.raises(Refused, match=r"CADDY names .*/caddy, which is no program"):
        programs.find(own_broker=False)


def test_a_broken_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there but fails."""
    (tmp_path / "rclone").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "rclone").chmod(0o755)
    monkeypatch.setenv("RCLONE", str(tmp_path / "rclone"))
    with pytest.raises(Refused, match="does not run"):
        programs.find(own_broker=False)


def test_the_programs_of_the_lock_will_do() -> None:
    """Also Valkey, unless the broker is elsewhere."""
    assert all(vars(programs.find(own_broker=True)).values())
    assert programs.find(own_broker=False).valkey == ""
