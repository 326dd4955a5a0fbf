"""The real line of the real page, run by real shells against the real edge, until a restore is proven."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.one_line import Bare
from tests.e2e.people import Person, SignIn
from tests.portal_process import Portal

pytestmark = pytest.mark.system


@pytest.fixture
def vault(portal: Portal, sign_in: SignIn) -> Callable[[str], tuple[Person, str]]:
    """Asks for a vault, has it approved, and opens its Quick Start page; staff's window, and the vault's id."""

    def make(name: str) -> tuple[Person, str]:
        staff = sign_in("staff")
        sign_in("approver").approve(staff.ask_for_vault(name, redundancy="Locally redundant"))
        vault_id = staff.open_vault(name)
        staff.go(f"/vaults/{vault_id}/quick-start/")
        return staff, vault_id

    return make


def line_of(staff: Person) -> str:
    """The line, as `Copy` copies it."""
    line = staff.page.locator("#one-line [data-copy]").first.get_attribute("data-copy")
    assert line
    assert "\n" not in line
    return line


def show_code(staff: Person) -> str:
    """Press the button; the code."""
    staff.page.get_by_role("button", name="Show a one-time code").click()
    return staff.page.locator("#one-time-code").inner_text()


def times_of(machine: Bare) -> dict[Path, int]:
    """When each file of the machine was changed, but for locks, and what pex keeps of packages it has run."""
    found = [path for path in machine.folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {path: path.stat().st_mtime_ns for path in found if ".cache" not in path.parts}


def test_from_the_line_to_a_proven_restore(vault: Callable[[str], tuple[Person, str]], tmp_path: Path) -> None:
    staff, _ = vault("OneLine")
    code, line, machine = show_code(staff), line_of(staff), Bare(tmp_path / "m", "hr-db-02")
    staff.check()
    assert code not in line
    expect(staff.page.get_by_text("Waiting for the machine")).to_be_visible()
    (machine.files / "ledger").write_bytes(os.urandom(200_000))
    done = machine.paste(line, typed=f"{code}\n")
    assert done.returncode == 0, done
    assert "backed up and restored: 1 of 1 file" in done.stdout
    # Nobody touches the page.
    expect(staff.page.get_by_role("link", name="hr-db-02").first).to_be_visible()
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    staff.check()
    assert machine.left == ["cache", "files", "home", "passphrase", "program"]

    before = times_of(machine)
    for shell in ("sh", "bash"):
        again = machine.paste(line, "--json", shell=shell)
        assert (again.returncode, json.loads(again.stdout)["code"]) == (0, "done_already"), again
    assert times_of(machine) == before

    another = Bare(tmp_path / "other", "other")
    (another.files / "ledger").write_bytes(b"content")
    used = another.paste(line, "--json", typed=f"{code}\n")
    assert (used.returncode, json.loads(used.stdout)["code"]) == (3, "code_used")
    expect(staff.page.get_by_text("Another machine used this one-time code at").first).to_be_visible()


def test_with_wget_alone(vault: Callable[[str], tuple[Person, str]], tmp_path: Path) -> None:
    staff, _ = vault("ByWget")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    for name in ("sh", "uname", "mktemp", "rm", "wget", "sha256sum", "chmod", "id", "env", "restic"):
        (tools / name).symlink_to(str(shutil.which(name)))
    machine = Bare(tmp_path / "m", "by-wget")
    (machine.files / "ledger").write_bytes(b"content")
    done = machine.paste(line_of(staff), "--json", path=str(tools), typed="nonsense\n")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (2, "usage"), done


@pytest.mark.parametrize("wrong", ["package", "digest", "architecture", "address"])
def test_nothing_is_run_that_is_not_the_package(
    portal: Portal, vault: Callable[[str], tuple[Person, str]], tmp_path: Path, wrong: str
) -> None:
    staff, _ = vault(f"Wrong-{wrong}")
    line, machine = line_of(staff), Bare(tmp_path / "m", "m")
    digest = line.split(" x86_64 setup ")[0].split()[-1]
    packages = portal.data / "agents"
    package = next(path for path in packages.iterdir() if digest[:8] in path.name and path.suffix != ".sig")
    real = package.read_bytes()
    try:
        if wrong == "package":
            package.write_bytes(f"#!/bin/sh\ntouch {tmp_path}/was-run\n".encode())
        line = {
            "package": line,
            "digest": line.replace(digest, "0" * 64),
            "architecture": line.replace(" x86_64 setup ", " riscv128 setup "),
            "address": line.replace(package.name, "strongroom-agent-of-yesterday"),
        }[wrong]
        done = machine.paste(line, typed="\n")
    finally:
        package.write_bytes(real)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.rstrip().endswith("Nothing was run.")
    assert not (tmp_path / "was-run").exists()
    assert machine.left == ["files", "home"]
