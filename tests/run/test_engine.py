"""Bringing a recent restic: what counts as one, which way is taken, and what is said when none leads there."""

import hashlib
from pathlib import Path

import pytest

from deploy import engine


def program(folder: Path, version: str, name: str = "restic") -> Path:
    """A program that says that it is restic of a version."""
    made = folder / name
    made.write_text(f"#!/bin/sh\necho restic {version} compiled with go\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("version", "good"), [("0.14.0", False), ("0.17.3", False), ("0.18.0", True), ("0.20.1", True), ("1.0.0", True)]
)
def test_recent_is_told_by_the_version(tmp_path: Path, version: str, good: bool) -> None:
    assert engine.recent(str(program(tmp_path, version))) is good


def test_what_is_no_restic_is_not_recent(tmp_path: Path) -> None:
    assert [engine.recent(each) for each in (None, "", "/bin/true", str(tmp_path / "none"))] == [False] * 4


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system without any restic, and the folder where one would be put."""
    monkeypatch.delenv("RESTIC", raising=False)
    monkeypatch.setattr(engine, "BIN", tmp_path / "bin")
    monkeypatch.setattr("deploy.engine.shutil.which", lambda name, **_: None)
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_the_first_way_that_leads_there_is_taken(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(folder: Path) -> Path:
        """Closed:"""
        raise engine.Unavailable("not here.")

    def old(folder: Path) -> Path:
        """Old:"""
        return program(folder, "0.14.0", "old")

    def good(folder: Path) -> Path:
        """Good:"""
        return program(folder, "0.18.0", "good")

    monkeypatch.setattr(engine, "WAYS", (closed, old, good))
    assert engine.main() == 0
    assert engine.recent(str(bare / "restic"))
    assert [path.name for path in bare.iterdir()] == ["restic"]


def test_without_a_way_each_reason_is_told(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deploy.engine.httpx.get", lambda *_, **__: pytest.fail("nothing is fetched without a digest"))
    monkeypatch.setattr(engine, "SHA256", {})
    assert engine.main() == 1
    told = capsys.readouterr().err
    assert "this is no Debian." in told
    assert "no digest of it" in told
    assert "set RESTIC to its path" in told
    assert list(bare.iterdir()) == []


def test_a_release_with_another_digest_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        content = b"something else"

        def raise_for_status(self) -> "Answer":
            return self

    monkeypatch.setattr("deploy.engine.httpx.get", lambda *_, **__: Answer())
    known = dict.fromkeys(engine.SHA256, hashlib.sha256(b"the published one").hexdigest())
    monkeypatch.setattr(engine, "SHA256", known)
    monkeypatch.setattr("deploy.engine.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("deploy.engine.platform.system", lambda: "Linux")
    with pytest.raises(engine.Unavailable, match="is not what the project published"):
        engine.official_release(tmp_path)


def test_a_recent_restic_of_the_person_is_left_alone(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTIC", str(program(tmp_path, "0.19.0")))
    monkeypatch.setattr(engine, "WAYS", ())
    assert engine.main() == 0
    assert list(bare.iterdir()) == []
