"""Proof over time on a real repository: damage is found when its turn comes, and named files are in each check."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from strongroom_agent.core.errors import AgentError
from strongroom_agent.proof import proven, sampling
from strongroom_agent.proof.damage import clear as forget_damage
from strongroom_agent.proof.restore_check import restore_check
from strongroom_agent.proof.sampling import Budget
from strongroom_agent.restic import snapshots
from strongroom_agent.restic.snapshots import Listed
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session, open_session

from .serving import Storage
from .stored import damage, repository
from .world import World

pytestmark = pytest.mark.system
SIZE = 20_000
FILES = 10
SMALL = Budget(3 * SIZE, 3)


@pytest.fixture
def packs(blank: World, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Much more than a sample holds: files in packs of their own, the packs in the order of the files."""
    found = list[Path]()
    folder = repository(storage, blank) / "data"
    for number in range(FILES):
        before = set(folder.rglob("*"))
        (blank.source / f"f{number}").write_bytes(os.urandom(SIZE))
        assert blank.run("backup").status == 0
        new = [path for path in set(folder.rglob("*")) - before if path.is_file()]
        found.append(max(new, key=lambda path: path.stat().st_size))
    real = sampling.draw

    def little(files: list[Listed], known: dict[int, int], _: Budget, always: Iterable[str]) -> sampling.Sample:
        return real(files, known, SMALL, always)

    monkeypatch.setattr(sampling, "EVERYTHING_UP_TO", SIZE)
    monkeypatch.setattr(sampling, "draw", little)
    blank.peer.runs.clear()
    return found


def proven_files(world: World) -> set[str]:
    """The names of the files that have been proven by now."""
    days = proven.known(Home(world.home))
    session = open_session(Home(world.home))
    session.prepare()
    files = snapshots.contents(session.open_primary(), "latest").files
    return {Path(each.path).name for each in files if proven.fingerprint(each) in days}


def test_damage_outside_of_todays_sample_is_found_within_the_rotation(blank: World, packs: list[Path]) -> None:
    session = open_session(Home(blank.home))
    session.prepare()
    Home(blank.home).remove("proven.json")
    first = restore_check(session, "latest")
    assert (first.tally.proven, first.total, first.left_out) == (3, FILES, FILES - 3)
    known = {Path(each.file.path).name for each in first.tally.files}
    victim = next(number for number in range(FILES) if f"f{number}" not in known)
    whole = packs[victim].read_bytes()
    damage(packs[victim], "flipped")
    try:
        found = first_failure(session, most=60)
        assert found.code in ("restore_check_failed", "repository_damaged"), found
        assert f"f{victim}" in str(found) or packs[victim].name[:8] in str(found)
        assert blank.told[-1] == ("restore_check", "failed")
        assert f"f{victim}" not in proven_files(blank)
    finally:
        packs[victim].write_bytes(whole)
        forget_damage(session)


def first_failure(session: Session, most: int) -> AgentError:
    """The failure of the first of so many restore checks that fails."""
    for _ in range(most):
        try:
            restore_check(session, "latest")
        except AgentError as error:
            return error
    pytest.fail(f"not found in {most} samples")


def test_in_the_end_all_was_proven_and_the_report_says_so(blank: World, packs: list[Path]) -> None:
    session = open_session(Home(blank.home))
    session.prepare()
    Home(blank.home).remove("proven.json")
    shares = list[int]()
    while not shares or shares[-1] < FILES:
        assert len(shares) < 60
        restore_check(session, "latest")
        shares.append(list(blank.peer.runs.values())[-1]["lately"])
    assert (shares[0], shares) == (3, sorted(shares))
    assert list(blank.peer.runs.values())[-1]["lately_bytes"] == FILES * SIZE


def test_named_files_are_in_each_sample_and_a_missing_one_is_told(blank: World, packs: list[Path]) -> None:
    assert len(packs) == FILES
    named = blank.source / "f4"
    assert blank.run("schedule", "--always-prove", str(named)).status == 0
    for _ in range(4):
        session = open_session(Home(blank.home))
        session.prepare()
        result = restore_check(session, "latest")
        assert named.name in {Path(each.file.path).name for each in result.tally.files}
        assert (result.figures["named"], result.figures["named_missing"]) == (1, 0)
    missing = blank.source / "not there"
    ran = blank.run("schedule", "--always-prove", str(named), "--always-prove", str(missing))
    assert ran.answer["options"]["always_prove"] == [str(named), str(missing)]
    ran = blank.run("check")
    assert (ran.status, ran.answer["code"], ran.answer["named_missing"]) == (0, "done_without_named", 1)
    assert f"Not proven: {missing} is to be proven always, and the snapshot does not have it." in ran.answer["message"]
    assert "--always-prove" in ran.answer["remedy"]
    told = list(blank.peer.runs.values())[-1]
    assert (told["outcome"], told["code"], told["named"]) == ("succeeded", "done_without_named", 1)
    assert blank.run("schedule", "--no-always-prove").answer["options"]["always_prove"] == []
    assert blank.run("check").answer["code"] == "done"


@pytest.mark.parametrize(
    "wrong", [["--always-prove", " "], ["--always-prove", "/x", "--no-always-prove"], ["--always-prove", "/x"] * 101]
)
def test_wrong_names_are_refused(machine: World, wrong: list[str]) -> None:
    assert machine.run("schedule", *wrong).status == 2


def test_a_folder_of_a_link_is_named_by_its_real_path(machine: World) -> None:
    (machine.root / "shortcut").symlink_to(machine.source)
    inside = next(path for path in machine.source.rglob("*") if path.is_file() and path.parent == machine.source)
    assert machine.run("schedule", "--always-prove", str(machine.root / "shortcut" / inside.name)).status == 0
    assert machine.run("check").answer["named"] == 1


def test_a_restore_measures_its_rate(blank: World) -> None:
    """Of no more than what came back, and not of the time that the repository takes to open."""
    (blank.source / "one").write_bytes(os.urandom(3_000_000))
    assert blank.run("backup").status == 0
    blank.peer.runs.clear()
    ran = blank.run("check")
    assert (ran.answer["restored"], ran.answer["restored_bytes"]) == (1, 3_000_000)
    assert 0 < ran.answer["restore_ms"] < 30_000
    assert ran.answer["total_bytes"] == 3_000_000
