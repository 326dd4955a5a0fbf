"""What a start refuses, each with one line that says what to do."""

import os
import socket
import tempfile
from collections.abc import Iterator
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


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Here because a file is in its place, which stops root too."""
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be written"):
        folder.usable(tmp_path / "file" / "data")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="is a file; set STRONGROOM_DATA to a folder"):
        folder.usable(tmp_path / "file")


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
