"""What a machine signs about its runs, verified by the recipe that it hands out, and what becomes of wrong ones."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from strongroom_agent.portal import receipts
from strongroom_agent.portal.receipt_recipe import PROGRAM

from .authority import Authority
from .world import World

pytestmark = pytest.mark.system


def said(compact: str) -> dict[str, Any]:
    """What a receipt says, unverified."""
    payload = compact.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def recipe(folder: Path, root: Path) -> tuple[int, list[str]]:
    """What the program in the folder says, run by a Python that knows nothing of Strongroom."""
    command = [sys.executable, "-I", str(folder / "verify.py"), str(folder), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def root(authority: Authority, tmp_path: Path) -> Path:
    """The portal's root certificate, from somewhere else than the machine."""
    path = tmp_path / "root.pem"
    path.write_bytes(authority.root.certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def made(machine: World, tmp_path: Path) -> Path:
    """The folder with the receipts of a backup and a check."""
    assert machine.run("backup").status == 0
    assert machine.run("check").status == 0
    assert machine.run("receipts", "--to", str(tmp_path / "receipts")).status == 0
    return tmp_path / "receipts"


def test_each_backup_and_check_gives_one_that_says_what_the_report_says(machine: World) -> None:
    assert machine.run("backup").status == 0
    assert machine.run("check").status == 0
    assert [run["kind"] for run in machine.peer.runs.values()] == ["backup", "check", "restore_check"]
    for run in machine.peer.runs.values():
        receipt = said(run["receipt"])
        for name in ("run", "kind", "outcome", "code", "started_at", "finished_at"):
            assert receipt[name] == run[name]
        assert receipt["snapshot"] == run.get("snapshot", "")
        assert receipt["figures"] == {
            name: value for name, value in run.items() if type(value) is int and name != "iat"
        }
        assert receipt["portal_time"]
    proof = receipt["proven"]
    files = [path for path in machine.source.rglob("*") if path.is_file()]
    assert (proof["files"], proof["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    assert receipt["figures"]["lately"] == receipt["figures"]["total"] == len(files)
    assert receipt["figures"]["restored_bytes"] == proof["bytes"]
    assert 0 < receipt["figures"]["restore_ms"] < 60_000
    lines = sorted(
        json.dumps(
            [str(path), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()], separators=(",", ":")
        )
        for path in files
    )
    assert proof["sha256"] == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_no_name_of_a_file_leaves_the_machine(machine: World) -> None:
    (machine.source / "very secret.txt").write_text("x")
    assert machine.run("backup").status == 0
    assert machine.run("check").status == 0
    assert all("very secret" not in json.dumps(said(run["receipt"])) for run in machine.peer.runs.values())


def test_a_failed_run_has_one_too_and_one_that_was_no_run_has_none(machine: World) -> None:
    machine.peer.faults.storage["local-a"] = 507
    assert machine.run("backup").status == 1
    (run,) = machine.peer.runs.values()
    assert (said(run["receipt"])["outcome"], said(run["receipt"])["code"]) == ("failed", "quota_full")
    machine.peer.faults.storage.clear()
    assert machine.run("restore", "--target", str(machine.root / "out")).status == 0
    assert [run["kind"] for run in machine.peer.runs.values() if "receipt" not in run] == ["restore"]


def test_a_run_without_an_engine_fails_for_that_and_has_one(machine: World) -> None:
    ran = machine.run("backup", RESTIC=str(machine.root / "no such program"))
    assert ran.answer["code"] == "engine_missing", ran
    (run,) = machine.peer.runs.values()
    assert (said(run["receipt"])["code"], said(run["receipt"])["engine_version"]) == ("engine_missing", "")


def test_they_verify_by_the_recipe_that_comes_with_them(machine: World, made: Path, root: Path) -> None:
    status, lines = recipe(made, root)
    assert (status, [line.split()[0] for line in lines]) == (0, ["good"] * len(lines))
    assert len(lines) == len(list(made.glob("*.jws"))) >= 3
    assert any(
        f": {said(machine_receipt(made, 'restore_check'))['machine']['name']} restore_check" in each for each in lines
    )
    assert "agents/root.pem" in (made / "HOW-TO-VERIFY.txt").read_text()


def machine_receipt(folder: Path, kind: str) -> str:
    """The newest receipt of that kind."""
    return sorted(folder.glob(f"*Z_{kind}_*.jws"))[-1].read_text()


def altered(made: Path, change: str) -> None:
    """Do something to the newest receipt of a restore check that must be found."""
    path = sorted(made.glob("*_restore_check_*.jws"))[-1]
    head, body, signature = path.read_text().strip().split(".")
    match change:
        case "figures":
            content = {**said(path.read_text()), "outcome": "succeeded", "code": "better"}
            body = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
        case "signature":
            signature = ("A" if signature[0] != "A" else "B") + signature[1:]
        case "typ":
            header = json.loads(base64.urlsafe_b64decode(head + "=="))
            del header["typ"]
            head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        case "list":
            listed = path.with_suffix(".files")
            listed.write_text(listed.read_text().replace('"', " ", 1))
        case _:
            body = body[:-4]
    path.write_text(f"{head}.{body}.{signature}\n")


@pytest.mark.parametrize("change", ["figures", "signature", "typ", "list", "cut"])
def test_what_was_altered_is_found(made: Path, root: Path, change: str) -> None:
    number = len(list(made.glob("*.jws")))
    altered(made, change)
    status, lines = recipe(made, root)
    assert (status, sorted(line.split()[0] for line in lines)) == (1, ["BAD", *["good"] * (number - 1)])


def test_another_root_vouches_for_none(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().root.certificate.public_bytes(serialization.Encoding.PEM))
    status, lines = recipe(made, other)
    assert (status, {line.split()[0] for line in lines}) == (1, {"BAD"})


class TestWriting:
    def test_again_it_adds_what_is_new_and_leaves_the_rest(self, machine: World, made: Path) -> None:
        before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
        (made / "verify.py").write_text("mine")
        assert machine.run("backup").status == 0
        ran = machine.run("receipts", "--to", str(made))
        assert (ran.status, ran.answer["written"]) == (0, 1)
        assert (made / "verify.py").read_text() == "mine"
        after = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
        assert {name for name in before if after[name] != before[name]} <= {"verify.py"}
        assert len(after) == len(before) + 1

    @pytest.mark.parametrize("name", ["notes.txt", ".hidden", "20260101T000000Z_backup_00000000.jws/x"])
    def test_other_peoples_files_are_left_alone(self, machine: World, tmp_path: Path, name: str) -> None:
        assert machine.run("backup").status == 0
        target = tmp_path / "theirs"
        (target / name).parent.mkdir(parents=True)
        (target / name).write_text("theirs")
        ran = machine.run("receipts", "--to", str(target))
        assert (ran.status, ran.answer["code"]) == (1, "target_not_empty")
        assert [path for path in target.rglob("*") if path.is_file()] == [target / name]

    def test_a_receipt_of_that_name_with_another_content_is_somebodys(self, machine: World, made: Path) -> None:
        path = sorted(made.glob("*.jws"))[0]
        path.write_text("theirs")
        ran = machine.run("receipts", "--to", str(made))
        assert (ran.answer["code"], path.name in ran.answer["message"]) == ("target_not_empty", True)
        path.unlink()
        path.symlink_to("/etc/passwd")
        assert machine.run("receipts", "--to", str(made)).answer["code"] == "target_not_empty"

    def test_a_place_that_cannot_be_written_to_is_told(self, machine: World, tmp_path: Path) -> None:
        assert machine.run("backup").status == 0
        (tmp_path / "file").write_text("x")
        ran = machine.run("receipts", "--to", str(tmp_path / "file"))
        assert (ran.status, ran.answer["code"]) == (1, "target_unusable")

    def test_before_there_is_one_it_says_what_gives_one(self, world: World, tmp_path: Path) -> None:
        ran = world.run("receipts", "--to", str(tmp_path / "out"))
        assert (ran.status, ran.answer["code"]) == (1, "no_receipts")
        assert not (tmp_path / "out").exists()

    def test_without_a_place_it_is_wrong_usage(self, world: World) -> None:
        assert world.run("receipts").status == 2

    def test_a_machine_that_has_left_still_has_them(
        self, machine: World, made: Path, root: Path, tmp_path: Path
    ) -> None:
        assert machine.run("unregister", "--forget").status == 0
        assert machine.run("receipts", "--to", str(tmp_path / "later")).status == 0
        assert recipe(tmp_path / "later", root)[0] == 0


def test_the_oldest_make_room(machine: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "KEPT", 3)
    monkeypatch.setattr(receipts, "LISTS_LIMIT", 400)
    for _ in range(2):
        assert machine.run("check").status == 0
    folder = machine.home / "receipts"
    assert len(list(folder.glob("*.jws"))) == 3
    assert sum(path.stat().st_size for path in folder.glob("*.files")) <= 400
    monkeypatch.setattr(receipts, "LIST_LIMIT", 1)
    before = set(folder.glob("*.files"))
    assert machine.run("check").status == 0
    assert set(folder.glob("*.files")) <= before


@pytest.mark.skipif(os.name != "posix", reason="a folder where a file ought to be")
def test_that_none_can_be_kept_is_no_reason_to_fail(machine: World) -> None:
    folder = machine.home / "receipts"
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    folder.write_text("in the way")
    ran = machine.run("backup")
    assert (ran.status, "receipt of this run is not kept" in ran.progress) == (0, True)
    assert "receipt" in next(iter(machine.peer.runs.values()))
    folder.unlink()


def test_the_program_needs_nothing_but_cryptography() -> None:
    modules = {line.split()[1].split(".")[0] for line in PROGRAM.splitlines() if line.startswith(("import ", "from "))}
    assert modules == {"base64", "cryptography", "datetime", "hashlib", "json", "pathlib", "sys"}


def test_the_documentation_has_the_program_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "proof.md").read_text()
    assert text.split("<!-- verify.py -->\n```python\n")[1].split("```")[0] == PROGRAM
