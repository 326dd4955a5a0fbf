"""Terminals, readers and shells of all kinds: the answer and the exit status stay what they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .world import World

pytestmark = pytest.mark.system
ASK = [sys.executable, "-m", "strongroom_agent", "status", "--json"]


def shell(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script with $ASK in it; there is no machine in `folder`."""
    variables = {"PATH": os.environ["PATH"], "STRONGROOM_AGENT_HOME": str(folder / "h\u00e9"), "ASK": " ".join(ASK)}
    return subprocess.run(
        ["/bin/sh", "-c", script], env=variables | environment, capture_output=True, check=False, timeout=60, cwd=folder
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "xx_YY.koi8-r"},
    ],
)
def test_no_encoding_breaks_a_message(tmp_path: Path, environment: dict[str, str]) -> None:
    ran = shell("$ASK", tmp_path, **environment)
    text = ran.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8"))
    assert (ran.returncode, json.loads(text)["code"]) == (1, "not_registered")
    assert f"{tmp_path}/h\u00e9" in json.loads(text)["message"]
    plain = shell("${ASK% --json}", tmp_path, **environment)
    assert plain.returncode == 1
    assert b"Traceback" not in plain.stderr
    assert b"not registered" in plain.stderr.replace(b"\0", b"")


@pytest.mark.parametrize(
    "script",
    [
        "$ASK >&-; echo $? >status",
        "$ASK 2>&-; echo $? >status",
        "$ASK <&- >&- 2>&-; echo $? >status",
        "$ASK >/dev/full; echo $? >status",
        "${ASK% --json} 2>/dev/full; echo $? >status",
        "{ $ASK; echo $? >status; } | true",
        "{ ${ASK% --json} 2>&1; echo $? >status; } | true",
        "{ $ASK --help; echo $? >status; } | true",
    ],
)
def test_a_reader_that_is_not_there_changes_no_exit_status(tmp_path: Path, script: str) -> None:
    ran = shell(script, tmp_path)
    expected = "0" if "--help" in script else "1"
    assert (tmp_path / "status").read_text().strip() == expected
    assert b"Traceback" not in ran.stderr
    assert b"Exception ignored" not in ran.stderr


def test_a_current_folder_that_is_gone(ready: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m strongroom_agent backup --json && "
        f"{sys.executable} -m strongroom_agent restore --target {out} --json"
    )
    ran = shell(script, tmp_path, STRONGROOM_AGENT_HOME=str(ready.home))
    assert ran.returncode == 0, ran
    assert [json.loads(line)["ok"] for line in ran.stdout.splitlines()] == [True, True]


def test_surroundings_that_would_break_others(ready: World, tmp_path: Path) -> None:
    """Proxies, a temporary folder that is not there, a foreign zone and settings of Go and restic, all at once."""
    unusable = {
        "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "fe80::/10",
        "TMPDIR": "/nowhere", "TZ": "Asia/Tokyo", "SSL_CERT_FILE": "/dev/null", "GODEBUG": "x509sha1=1",
        "RESTIC_REPOSITORY": "/nowhere", "RESTIC_PASSWORD": "wrong", "RESTIC_COMPRESSION": "nonsense",
        "XDG_CACHE_HOME": "/nowhere", "HOME": "/nowhere", "LANG": "ja_JP.eucJP",
    }  # fmt: skip
    script = f"umask 0; ulimit -n 64; {sys.executable} -m strongroom_agent backup --json"
    before = {path: path.stat().st_mtime_ns for path in ready.home.rglob("*")}
    ran = shell(script, tmp_path, **unusable, STRONGROOM_AGENT_HOME=str(ready.home))
    assert (ran.returncode, json.loads(ran.stdout)["code"]) == (0, "done"), ran
    newest = ready.run("snapshots").answer["snapshots"][-1]
    assert newest["time"].endswith(("Z", "+00:00"))
    states = {path: path.stat() for path in ready.home.rglob("*") if path.name != "lock"}
    written = [state.st_mode & 0o077 for path, state in states.items() if state.st_mtime_ns != before.get(path)]
    assert set(written) == {0}


def test_a_limit_on_file_sizes_is_told_before_anything_fails(ready: World, tmp_path: Path) -> None:
    script = f"ulimit -f 1000; {sys.executable} -m strongroom_agent backup --json"
    ran = shell(script, tmp_path, STRONGROOM_AGENT_HOME=str(ready.home))
    answer = json.loads(ran.stdout)
    assert (ran.returncode, answer["code"]) == (1, "limit_too_low")
    assert "(ulimit -f)" in answer["message"]


def test_the_installed_program_reads_no_variables_of_python(ready: World, tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("raise SystemExit('planted')")
    program = ready.root / "program" / "strongroom-agent"
    foreign = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere", "PYTHONIOENCODING": "none", "PYTHONUTF8": "x"}
    ran = shell(f"{program} --version", tmp_path, **foreign)
    assert (ran.returncode, ran.stdout) == (0, b"strongroom-agent 1.0.0\n"), ran
