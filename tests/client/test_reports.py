"""Reports to the portal: they wait for it, and one that it will never take holds up no other."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from strongroom_agent.portal.reports import Run

from .peer import Problem
from .world import World

pytestmark = pytest.mark.system
POISON = {"run": "a", "kind": "backup", "message": "no text: \udcff"}


@pytest.fixture
def queued(ready: World) -> Iterator[Path]:
    """An old report at the head of the queue, which the portal will never take."""
    (ready.home / "reports").mkdir(exist_ok=True)
    path = ready.home / "reports" / "2026-01-01T000000.000000Z-a.json"
    path.write_text(json.dumps(POISON))
    yield path
    for left in (path, ready.home / "refused-reports" / path.name):
        left.unlink(missing_ok=True)


def test_reports_wait_for_the_portal(ready: World) -> None:
    ready.peer.faults.silent = True
    assert ready.run("backup").status == 0
    status = ready.run("status")
    assert (status.status, status.answer["portal"]["reachable"], status.answer["reports_waiting"]) == (0, False, 1)
    assert ready.told == []
    ready.peer.faults.silent = False
    assert ready.run("backup").status == 0
    assert ready.told == [("backup", "succeeded")] * 2
    assert ready.run("status").answer["reports_waiting"] == 0


def test_that_reports_wait_is_said_once_and_not_where_the_vault_is_forgotten(blank: World, tmp_path: Path) -> None:
    (blank.source / "file").write_bytes(b"content")
    assert blank.run("backup").status == 0
    blank.peer.faults.silent = True
    for command in (["backup"], ["restore", "--target", str(tmp_path / "out")]):
        ran = blank.run(*command)
        assert (ran.status, ran.progress.count("note: reports are kept for the next run.")) == (0, 1)
    blank.peer.faults.silent = False
    assert blank.run("backup").status == 0


def test_reports_of_a_machine_that_forgets_its_vault_are_not_kept(world: World) -> None:
    world.register_only()
    world.peer.faults.silent = True
    assert world.run("backup").status != 0 or world.run("status").answer["reports_waiting"]
    ran = world.run("unregister", "--forget")
    assert (ran.status, "reports are kept" in ran.progress) == (0, False)


@pytest.mark.parametrize("state", ["Revoked", "Suspended"])
def test_a_machine_that_may_be_let_in_again_keeps_its_reports(world: World, state: str) -> None:
    why = {"Revoked": "A member of the vault revoked it.", "Suspended": "It is suspended: two computers used it."}
    world.register_only()
    refusal = Problem("not_allowed", f"hr-db-02 is {state}. {why[state]}")
    world.peer.faults.refuse.update(runs=refusal, heartbeat=refusal)
    ran = world.run("backup")
    assert ("note: reports are kept for the next run." in ran.progress) is (state == "Suspended")


def test_a_report_that_is_never_taken_is_set_aside_and_blocks_no_other(ready: World, queued: Path) -> None:
    ran = ready.run("backup")
    assert (ran.status, ready.told) == (0, [("backup", "succeeded")])
    assert f"put into {ready.home / 'refused-reports'}. Its payload is not JSON." in ran.progress
    assert json.loads((ready.home / "refused-reports" / queued.name).read_text()) == POISON
    status = ready.run("status").answer
    assert (status["reports_waiting"], status["reports_refused"]) == (0, 1)


@pytest.mark.parametrize("content", ["{", "[]", "\0"])
def test_a_report_that_was_damaged_on_disk_blocks_no_other(ready: World, queued: Path, content: str) -> None:
    queued.write_text(content)
    assert ready.run("backup").status == 0
    assert ready.told == [("backup", "succeeded")]
    assert ready.run("status").answer["reports_waiting"] == 0


@pytest.mark.parametrize("code", ["invalid", "not_allowed", "stale_state"])
def test_it_is_the_report_if_the_machine_is_heard(ready: World, code: str) -> None:
    ready.peer.faults.refuse["runs"] = Problem(code)
    assert ready.run("backup").status == 0
    assert ready.run("status").answer["reports_waiting"] == 0
    for path in (ready.home / "refused-reports").iterdir():
        path.unlink()


@pytest.mark.parametrize("codes", [("not_allowed", "not_allowed"), ("clock_skew", ""), ("unavailable", "")])
def test_it_is_not_the_report_if_the_machine_is_refused_as_well(ready: World, codes: tuple[str, str]) -> None:
    for what, code in zip(("runs", "heartbeat"), codes, strict=True):
        if code:
            ready.peer.faults.refuse[what] = Problem(code)
    assert ready.run("backup").status == 0
    ready.peer.faults.refuse.clear()
    assert ready.told == []
    status = ready.run("status").answer
    assert (status["reports_waiting"], status["reports_refused"]) == (1, 0)
    ready.run("backup")
    assert ready.told == [("backup", "succeeded")] * 2


def test_the_name_of_a_file_that_is_no_text_can_be_told(ready: World, tmp_path: Path) -> None:
    """An engine that overlooks the file makes a check fail that names it."""
    odd = Path(os.fsdecode(os.fsencode(ready.source) + b"/odd\xff\n"))
    odd.write_text("x")
    blind = tmp_path / "restic"
    blind.write_text(
        '#!/bin/sh\ncase "$*" in *" backup "*) exec restic --exclude="odd*" "$@" ;; esac\nexec restic "$@"\n'
    )
    blind.chmod(0o700)
    assert ready.run("backup", RESTIC=str(blind)).status == 0
    ran = ready.run("check")
    odd.unlink()
    assert (ran.status, ran.answer["mismatched_first"]) == (1, [str(odd)])
    told = [run["message"] for run in ready.peer.runs.values() if run["kind"] == "restore_check"]
    assert len(told) == 1
    assert f"beginning with {ready.source}/odd\\udcff\\n" in told[0]
    ready.run("backup")


def test_a_message_is_one_line_of_plain_text() -> None:
    message = Run("check").report("failed", "a\udcff\0\n\u202eb" + "x" * 600)["message"]
    assert str(message).startswith("a\\udcff\\x00\\n\\u202ebxxx")
    assert len(str(message)) == 500


def test_a_long_message_is_cut_at_a_word_and_says_so() -> None:
    def sent(message: str) -> str:
        return str(Run("check").report("failed", message)["message"])

    assert sent("word " * 99 + "words") == "word " * 99 + "words"
    assert sent("word " * 120) == "word " * 99 + "word\u2026"
    assert sent("ab, " * 150) == "ab, " * 124 + "ab\u2026"
    assert sent("see " + "x" * 600) == "see " + "x" * 495 + "\u2026"
