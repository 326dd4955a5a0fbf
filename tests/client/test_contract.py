"""One JSON object on standard output and the agreed exit status, whatever is asked and whatever fails."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from strongroom_agent.cli import program as cli
from strongroom_agent.restic import engine
from strongroom_agent.state.home import Home

from .authority import Authority
from .peer import Peer
from .world import World, one_object

COMMANDS = ["backup", "snapshots", "check", "retain", "status", "renew", "unregister"]


@pytest.fixture
def alone(authority: Authority, tmp_path: Path) -> World:
    """A machine whose portal answers nothing: there is no server."""
    peer = Peer(authority, tmp_path, tmp_path / "none")
    peer.url = "https://127.0.0.1:1"
    machine = World(tmp_path, peer)
    machine.fill()
    return machine


@pytest.mark.parametrize("command", [*COMMANDS, "restore --target out"])
def test_each_command_needs_a_registered_machine(alone: World, command: str) -> None:
    ran = alone.run(*command.split())
    assert (ran.status, ran.answer["code"]) == (1, "not_registered")
    assert str(alone.home) in ran.answer["message"]


def test_the_folder_of_state_may_be_why_nothing_is_known(alone: World) -> None:
    assert "or with the STRONGROOM_AGENT_HOME that was set then" in alone.run("backup").answer["remedy"]


def test_where_nothing_was_registered_nothing_is_forgotten(alone: World) -> None:
    ran = alone.run("unregister", "--forget")
    assert (ran.status, ran.answer["code"]) == (1, "not_registered")
    assert ran.answer["message"].startswith("Nothing is registered here, and nothing was changed:")
    assert str(alone.home) in ran.answer["message"]


def test_a_registration_that_was_only_begun_is_told_as_that(alone: World) -> None:
    assert alone.setup().answer["code"] == "network"
    ran = alone.run("unregister", "--forget")
    assert (ran.status, ran.answer["told"]) == (0, False)
    assert ran.answer["message"].startswith("Nothing is registered here: setup had begun, and what it kept is deleted.")
    again = alone.run("unregister", "--forget").answer["message"]
    assert again.startswith("Nothing is registered here, and nothing was changed:")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("--bogus", "See strongroom-agent --help."),
        ("--bogus status", "See strongroom-agent --help."),
        ("restore --bogus", "See strongroom-agent restore --help."),
        ("restore --target x --bogus", "See strongroom-agent restore --help."),
        ("setup --bogus", "See strongroom-agent setup --help."),
        ("setup --unattended --bogus", "See strongroom-agent setup --help."),
    ],
)
def test_an_unknown_option_is_named(alone: World, line: str, remedy: str) -> None:
    ran = alone.run(*line.split())
    assert (ran.status, ran.answer["code"], ran.answer["remedy"]) == (2, "usage", remedy)
    assert "unrecognized arguments: --bogus" in ran.answer["message"]


def test_help_says_that_regions_are_read_together(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("restore", "snapshots"):
        with pytest.raises(SystemExit):
            cli.run([command, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert "the first that answers" not in told
        assert "of this region alone; default: what the first region lacks is" in told


def test_json_may_stand_before_the_command(alone: World, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch.dict(os.environ, {"STRONGROOM_AGENT_HOME": str(alone.home)}):
        status = cli.run(["--json", "backup"])
    assert one_object(capsys.readouterr().out, status)["code"] == "not_registered"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "destroy",
        "backup --fast",
        "backup extra",
        "restore",
        "restore --target",
        "setup",
        "setup --unattended",
        "setup --unattended --credentials c --install-dir i --cache-dir c --protect p",
        "setup --unattended --credentials c --install-dir i --cache-dir c --protect p --generate-passphrase",
        "setup --unattended --credentials c --install-dir i --cache-dir c --protect p --passphrase-file a "
        "--generate-passphrase --save-passphrase-to b",
        "setup --unattended --credentials c --install-dir i --cache-dir c --protect p --passphrase-file a "
        "--proxy-password-file b",
        "setup --unattended --credentials c --install-dir i --cache-dir c --protect p --passphrase-file a "
        "--proxy-user b",
    ],
)
def test_a_wrong_command_line_is_told_in_json_too(alone: World, line: str) -> None:
    ran = alone.run(*line.split())
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert not alone.home.exists()


@pytest.mark.parametrize(
    "line",
    [
        ["restore", "--target", ""],
        ["restore", "--target", "out", "--include", ""],
        ["setup", "--unattended", "--protect", " "],
    ],
)
def test_an_empty_path_is_not_the_current_folder(alone: World, line: list[str]) -> None:
    ran = alone.run(*line)
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert "it is empty" in ran.answer["message"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 64, "größe", "a/b", "a_b", "a\n"])
def test_names_of_machines_have_an_alphabet(alone: World, name: str) -> None:
    ran = alone.setup(name=name)
    assert (ran.status, ran.answer["code"]) == (2, "usage")


def test_a_portal_that_is_not_there_is_a_network_failure(alone: World) -> None:
    ran = alone.setup()
    assert (ran.status, ran.answer["code"]) == (4, "network")
    assert "127.0.0.1:1" in ran.answer["message"]


def test_a_proxy_that_is_not_there_is_named_without_its_sign_in(alone: World) -> None:
    (alone.root / "password").write_text("hush")
    ran = alone.setup(
        "--proxy", "http://127.0.0.1:2", "--proxy-user", "me", "--proxy-password-file", str(alone.root / "password")
    )
    assert (ran.status, ran.answer["code"]) == (4, "network")
    assert ran.answer["message"].startswith(
        "Strongroom cannot be reached at 127.0.0.1:1 through the proxy 127.0.0.1:2: Connection refused."
    )
    assert "hush" not in json.dumps(ran.answer) + ran.progress


def test_a_bad_credential_is_a_refusal(alone: World) -> None:
    ran = alone.setup(credential={**alone.peer.credential(), "edge_url": "https://evil"})
    assert (ran.status, ran.answer["code"]) == (3, "credential_invalid")


def test_nothing_to_protect_is_told_before_registering(alone: World) -> None:
    for path in alone.source.rglob("*.bin"):
        path.unlink()
    assert alone.setup().answer["code"] == "nothing_to_protect"
    alone.source.rename(alone.root / "elsewhere")
    assert alone.setup().answer["code"] == "protect_missing"


def test_a_cache_folder_that_is_a_file_is_refused(alone: World) -> None:
    (alone.root / "cache").write_text("")
    assert alone.setup().answer["code"] == "cache_unusable"


def test_missing_and_old_engines_are_refused_with_advice(alone: World) -> None:
    old = alone.root / "old"
    old.write_text("#!/bin/sh\necho restic 0.13.9 compiled with go\n")
    old.chmod(0o700)
    for program, code in [
        (old, "engine_too_old"),
        (alone.root / "none", "engine_missing"),
        ("/bin/ls", "engine_missing"),
    ]:
        ran = alone.run(*setup_line(alone), RESTIC=str(program))
        assert (ran.status, ran.answer["code"]) == (1, code)
        if code == "engine_missing":
            assert ran.answer["remedy"] == engine.advice()
        else:
            assert (ran.answer["needed_version"], ran.answer["engine_version"]) == ("0.14", "0.13.9")
            assert "https://github.com/restic/restic/releases" in ran.answer["remedy"]


def test_a_proxy_with_a_password_in_it_is_refused(alone: World) -> None:
    ran = alone.setup("--proxy", "http://me:secret@proxy:3128")
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert "secret" not in json.dumps(ran.answer)


def test_the_unexpected_is_told_in_json(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "open_session", lambda home: 1 / 0)
    ran = alone.run("status")
    assert (ran.status, ran.answer["code"]) == (1, "internal")
    assert "ZeroDivisionError" in ran.answer["message"]
    assert "Traceback" in ran.progress


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", "A disk of this machine is full."),
        (
            PermissionError(errno.EACCES, "Permission denied", "/c/x"),
            "file_unusable",
            "A file or folder cannot be used (Permission denied): /c/x.",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/c/x"),
            "file_unusable",
            "A file or folder cannot be used (Read-only file system): /c/x. Its disk is mounted read-only",
        ),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "/c/x"),
            "disk_full",
            "A disk of this machine takes no more from this user: /c/x. The quota of this user",
        ),
    ],
)
def test_a_disk_that_fails_is_told(
    alone: World, monkeypatch: pytest.MonkeyPatch, error: OSError, code: str, told: str
) -> None:
    def failing(home: object) -> None:
        raise error

    monkeypatch.setattr(cli, "open_session", failing)
    ran = alone.run("backup")
    assert (ran.status, ran.answer["code"], ran.progress) == (1, code, "")
    assert ran.answer["message"].startswith(told)


@pytest.mark.parametrize("command", ["backup", "status"])
def test_a_state_folder_that_cannot_be_used_is_told(alone: World, command: str) -> None:
    alone.home.write_text("")
    ran = alone.run(command)
    assert (ran.status, ran.answer["code"]) == (1, "home_unusable")
    assert f"{alone.home} cannot be used: there is a file where a folder is needed." in ran.answer["message"]


def test_an_interrupt_is_told_in_json(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(home: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "open_session", interrupt)
    assert alone.run("backup").answer["code"] == "interrupted"


def test_a_second_run_is_told_that_the_first_is_busy(alone: World) -> None:
    with Home(alone.home).locked():
        assert alone.run("backup").answer["code"] == "busy"
    assert alone.run("backup").answer["code"] == "not_registered"


def test_damaged_state_is_a_clear_failure(alone: World) -> None:
    alone.home.mkdir()
    for content in ("{", "[]", '{"answer": {}}', '{"answer": 1}', '{"answer": {"machine": 5}}'):
        (alone.home / "identity.json").write_text(content)
        assert alone.run("backup").answer["code"] in {"state_damaged", "answer_not_understood"}


def test_the_state_folder_is_for_its_owner_only(alone: World) -> None:
    alone.home.mkdir(mode=0o755)
    alone.run("backup")
    assert stat.S_IMODE(alone.home.stat().st_mode) == 0o700


def test_the_program_itself_keeps_the_contract(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "strongroom_agent", "status", "--json"],
        env={**os.environ, "STRONGROOM_AGENT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["code"], done.stderr) == (1, "not_registered", "")


def test_without_json_people_get_the_message_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["destroy"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("strongroom-agent: argument COMMAND: invalid choice: 'destroy'")
    assert cli.run(["restore"]) == 2
    assert capsys.readouterr().err.startswith(
        "strongroom-agent: restore: the following arguments are required: --target."
    )


def setup_line(machine: World) -> list[str]:
    """A complete command line; the credential is written by an earlier step or now."""
    credential, secret = machine.root / "credential", machine.root / "secret"
    credential.write_text(json.dumps(machine.peer.credential()))
    secret.write_text("correct horse battery staple")
    line = f"setup --unattended --install-dir {machine.root}/program --cache-dir {machine.root}/cache --name a"
    return [
        *line.split(),
        "--credentials",
        str(credential),
        "--protect",
        str(machine.source),
        "--passphrase-file",
        str(secret),
    ]
