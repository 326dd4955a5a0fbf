"""The program's folder: restic stays beside it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from strongroom_agent.core import ownership
from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic import engine
from strongroom_agent.setup import install


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The single-file agent that runs, in a folder with a restic."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "strongroom-agent").write_text("the agent")
    (folder / "restic").write_text("#!/bin/sh\necho restic 0.18.0\n")
    (folder / "restic").chmod(0o755)
    monkeypatch.setenv("PEX", str(folder / "strongroom-agent"))
    monkeypatch.delenv("RESTIC", raising=False)
    monkeypatch.setattr(ownership, "problem", lambda folder, groups=False: "")
    return folder


def test_a_restic_beside_the_agent_is_taken_along(
    downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was found: the installed agent had none, or an old one of the system."""
    program = install.install(tmp_path / "program")
    assert program.read_text() == "the agent"
    monkeypatch.setenv("PEX", str(program))
    assert engine.find().program == str(program.parent / "restic")
    assert (program.parent / "restic").read_bytes() == (downloaded / "restic").read_bytes()


def test_installing_where_it_is_changes_nothing(downloaded: Path) -> None:
    before = (downloaded / "restic").stat().st_ino
    install.install(downloaded)
    assert (downloaded / "restic").stat().st_ino == before


def test_without_one_nothing_is_taken_along(downloaded: Path, tmp_path: Path) -> None:
    (downloaded / "restic").unlink()
    install.install(tmp_path / "program")
    assert sorted(path.name for path in (tmp_path / "program").iterdir()) == ["strongroom-agent"]


def as_folder(place: Path, installed_by: str = "", program: str = "the agent") -> Path:
    """A folder that holds all that the agent needs."""
    (place / "python" / "lib").mkdir(parents=True)
    (place / "python" / "lib" / "os.py").write_text(program)
    (place / "python" / "lib" / "link.py").symlink_to("os.py")
    for name, content in (("strongroom-agent", program), ("restic", "#!/bin/sh\necho restic 0.18.0\n")):
        (place / name).write_text(content)
        (place / name).chmod(0o755)
    (place / "about.json").write_text(json.dumps({"installed_by": installed_by}))
    return place


@pytest.fixture
def running_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes this the program of such a folder."""
    monkeypatch.delenv("RESTIC", raising=False)
    monkeypatch.delenv("PEX", raising=False)
    monkeypatch.setattr(ownership, "problem", lambda folder, groups=False: "")
    return lambda place: monkeypatch.setattr("sys.prefix", str(place / "python"))


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_copied_as_a_whole(running_in: Callable[[Path], None], tmp_path: Path) -> None:
    source = as_folder(tmp_path / "unpacked")
    running_in(source)
    program = install.install(tmp_path / "program")
    assert program == tmp_path / "program" / "strongroom-agent"
    assert contents(tmp_path / "program") == contents(source)
    assert (tmp_path / "program" / "python" / "lib" / "link.py").is_symlink()
    assert program.stat().st_mode & 0o777 == 0o755
    assert engine.find().program == str(source / "restic")


def test_it_takes_the_place_of_an_older_one_and_leaves_nothing_behind(
    running_in: Callable[[Path], None], tmp_path: Path
) -> None:
    older, source = as_folder(tmp_path / "program", program="older"), as_folder(tmp_path / "unpacked")
    (older / "python" / "lib" / "gone.py").write_text("older")
    running_in(source)
    install.install(older)
    assert contents(older) == contents(source)
    assert sorted(path.name for path in older.iterdir()) == ["about.json", "python", "restic", "strongroom-agent"]


def test_where_it_lies_already_nothing_changes(running_in: Callable[[Path], None], tmp_path: Path) -> None:
    source = as_folder(tmp_path / "program")
    before = (source / "restic").stat().st_ino
    running_in(source)
    assert install.install(source) == source / "strongroom-agent"
    assert (source / "restic").stat().st_ino == before


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_what_a_package_installed_stays_where_it_is(
    running_in: Callable[[Path], None], tmp_path: Path, manager: str
) -> None:
    source = as_folder(tmp_path / "opt", manager)
    running_in(source)
    assert install.install(tmp_path / "elsewhere") == source / "strongroom-agent"
    assert not (tmp_path / "elsewhere").exists()


def test_an_unpacked_one_does_not_overwrite_what_a_package_installed(
    running_in: Callable[[Path], None], tmp_path: Path
) -> None:
    there = as_folder(tmp_path / "opt", "apt", program="by apt")
    running_in(as_folder(tmp_path / "unpacked"))
    with pytest.raises(AgentError, match="was installed by apt") as refusal:
        install.install(there)
    assert refusal.value.code == "install_failed"
    assert (there / "strongroom-agent").read_text() == "by apt"
