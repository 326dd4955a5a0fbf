"""Folders that others can write to are not worked in: nothing there is emptied, overwritten or believed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from strongroom_agent.core import ownership, surroundings
from strongroom_agent.core.errors import AgentError
from strongroom_agent.setup import install
from strongroom_agent.state.home import Home

from .world import World

SOMEBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A folder that only we can write to, below others of that kind."""
    folder = tmp_path / "ours"
    folder.mkdir(mode=0o700)
    assert ownership.problem(folder) == ""
    return folder


def shared(folder: Path, mode: int) -> Path:
    """The folder, made with the mode whatever the umask is."""
    folder.mkdir()
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize(("mode", "said"), [(0o777, "0777"), (0o1777, "1777"), (0o707, "0707")])
def test_a_folder_that_everybody_writes_to(ours: Path, mode: int, said: str) -> None:
    folder = shared(ours / "cache", mode)
    assert ownership.problem(folder) == f"{folder} (mode {said}) can be written by other users"
    assert ownership.problem(folder, groups=True) == ownership.problem(folder)


def test_one_below_such_a_folder_where_nobody_may_rename_others_files(ours: Path) -> None:
    below = shared(shared(ours / "tmp", 0o1777) / "cache", 0o700)
    assert ownership.problem(below) == ""
    (ours / "tmp").chmod(0o777)
    assert ownership.problem(below) == f"{ours / 'tmp'} (mode 0777) can be written by other users"


def test_the_way_by_a_link_counts_like_the_place_it_leads_to(ours: Path) -> None:
    place = shared(ours / "place", 0o700)
    link = shared(ours / "open", 0o777) / "link"
    link.symlink_to(place)
    assert ownership.problem(link) == f"{link.parent} (mode 0777) can be written by other users"
    (ours / "link").symlink_to(shared(link.parent / "cache", 0o700))
    assert ownership.problem(ours / "link") == f"{link.parent} (mode 0777) can be written by other users"


@needs_root
def test_a_group_of_others_may_write_only_where_groups_may(ours: Path) -> None:
    folder = shared(ours / "bin", 0o775)
    os.chown(folder, 0, SOMEBODY)
    assert ownership.problem(folder) == f"{folder} (mode 0775) can be written by other users"
    assert ownership.problem(folder, groups=True) == ""


@needs_root
@pytest.mark.parametrize("place", ["", "sub"])
def test_what_belongs_to_another_user(ours: Path, place: str) -> None:
    """Itself, and one above it."""
    below = shared(ours / "sub", 0o700)
    os.chown(ours / place, SOMEBODY, SOMEBODY)
    assert ownership.problem(below) == f"{ours / place} belongs to another user (id {SOMEBODY})"


class TestCache:
    @pytest.mark.parametrize("use", [surroundings.clear_temporary, surroundings.temporary_folder])
    @pytest.mark.parametrize("name", ["tmp", "restic"])
    def test_a_link_in_the_place_of_one_of_its_folders_is_not_followed(
        self, ours: Path, tmp_path: Path, name: str, use: Callable[[Path], object]
    ) -> None:
        for place in ("victim", "ours/tmp", "ours/restic"):
            (tmp_path / place).mkdir()
        (tmp_path / "victim" / "file").write_text("kept")
        (ours / name).rmdir()
        (ours / name).symlink_to(tmp_path / "victim")
        with pytest.raises(AgentError, match=f"{ours / name} is a link") as refused:
            use(ours)
        assert (refused.value.code, (tmp_path / "victim" / "file").read_text()) == ("cache_unusable", "kept")

    def test_a_disk_of_its_own_whose_sticky_bit_keeps_what_is_ours(self, ours: Path) -> None:
        folder = shared(ours / "disk", 0o1777)
        made = Path(surroundings.temporary_folder(folder))
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        (made / "left").write_text("")
        surroundings.clear_temporary(folder)
        assert list(made.iterdir()) == []

    @needs_root
    @pytest.mark.parametrize("name", ["tmp", "restic"])
    def test_somebody_was_there_before(self, ours: Path, name: str) -> None:
        folder = shared(ours / "disk", 0o1777)
        os.chown(shared(folder / name, 0o755), SOMEBODY, SOMEBODY)
        with pytest.raises(AgentError, match=f"{folder / name} belongs to another user"):
            surroundings.temporary_folder(folder)

    @pytest.mark.parametrize("use", [surroundings.clear_temporary, surroundings.temporary_folder])
    def test_one_that_others_write_to_is_not_used(self, ours: Path, use: Callable[[Path], object]) -> None:
        folder = shared(ours / "cache", 0o777)
        (folder / "tmp").mkdir()
        (folder / "tmp" / "file").write_text("kept")
        with pytest.raises(AgentError, match=r"mode 0777\) can be written by other users") as refused:
            use(folder)
        assert refused.value.code == "cache_unusable"
        assert "--cache-dir" in refused.value.remedy
        assert (folder / "tmp" / "file").read_text() == "kept"


class TestHome:
    @needs_root
    @pytest.mark.parametrize("place", ["", "settings.json"])
    def test_what_another_user_wrote_is_not_believed(self, ours: Path, place: str) -> None:
        home = Home(shared(ours / "state", 0o700))
        home.write_text("settings.json", "{}")
        os.lchown(home.folder / place, SOMEBODY, SOMEBODY)
        with pytest.raises(AgentError, match=f"belongs to another user .id {SOMEBODY}.") as refused:
            home.ensure()
        assert refused.value.code == "home_unusable"

    def test_one_below_a_folder_of_everybody(self, ours: Path) -> None:
        home = Home(shared(ours / "open", 0o777) / "state")
        with pytest.raises(AgentError, match=r"mode 0777\) can be written by other users") as refused:
            home.ensure()
        assert refused.value.code == "home_unusable"

    def test_one_that_is_not_there_is_no_trouble(self, ours: Path) -> None:
        Home(ours / "state").require_own()
        assert not (ours / "state").exists()


class TestInstallation:
    def test_a_link_that_was_there_before_is_not_written_through(self, ours: Path, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("kept")
        for name in ("strongroom-agent", ".strongroom-agent.new"):
            (ours / name).symlink_to(victim)
        program = install.install(ours)
        assert (victim.read_text(), program.is_symlink()) == ("kept", False)
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert {path.name for path in ours.iterdir()} == {"strongroom-agent", ".strongroom-agent.new"}

    def test_a_folder_of_everybody_is_refused(self, ours: Path) -> None:
        folder = shared(ours / "bin", 0o777)
        with pytest.raises(AgentError, match="could exchange the program") as refused:
            install.install(folder)
        assert (refused.value.code, list(folder.iterdir())) == ("install_failed", [])


@pytest.mark.system
class TestCommands:
    def test_setup_says_so_before_anything_is_sent(self, world: World, tmp_path: Path) -> None:
        cache = shared(shared(tmp_path / "open", 0o777) / "cache", 0o700)
        ran = world.setup("--cache-dir", str(cache))
        assert (ran.status, ran.answer["code"]) == (1, "cache_unusable"), ran
        assert str(tmp_path / "open") in ran.answer["message"]
        assert (world.peer.requests, list(cache.iterdir())) == ([], [])

    def test_a_run_says_so_once_the_cache_is_open_to_others(self, world: World, tmp_path: Path) -> None:
        assert world.setup().status == 0
        cache, victim = tmp_path / "cache", tmp_path / "victim"
        victim.mkdir()
        (victim / "file").write_text("kept")
        (cache / "tmp").rename(cache / "was")
        (cache / "tmp").symlink_to(victim)
        cache.chmod(0o777)
        ran = world.run("backup")
        assert (ran.status, ran.answer["code"]) == (1, "cache_unusable"), ran
        assert (victim / "file").read_text() == "kept"

    @needs_root
    @pytest.mark.parametrize("command", ["backup", "status", "snapshots"])
    def test_no_command_goes_by_what_another_user_wrote(self, world: World, command: str) -> None:
        assert world.setup().status == 0
        os.lchown(world.home / "settings.json", SOMEBODY, SOMEBODY)
        asked = len(world.peer.requests)
        ran = world.run(command)
        assert (ran.status, ran.answer["code"]) == (1, "home_unusable"), ran
        assert len(world.peer.requests) == asked
