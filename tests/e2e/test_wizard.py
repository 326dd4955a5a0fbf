"""The wizard in a terminal against the real portal, until it says Ready."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.client.terminal import Terminal
from tests.e2e.machine import AGENT, ALONE, contents, make_machine, restored
from tests.e2e.people import SignIn
from tests.portal_process import Portal

pytestmark = pytest.mark.system
LIMIT = 120


def test_from_a_downloaded_file_to_ready(portal: Portal, sign_in: SignIn, tmp_path: Path) -> None:
    """Staff download the file in the browser and answer three questions; the page that stands open says Ready."""
    staff, approver = sign_in("staff"), sign_in("approver")
    approver.approve(staff.ask_for_vault("By-Hand"))
    vault_id = staff.open_vault("By-Hand")
    credentials = staff.download_credentials(vault_id, tmp_path)
    machine = make_machine(tmp_path, "by-hand-01", files=40, megabytes=4)
    before = contents(machine.files)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "STRONGROOM_AGENT_HOME": str(machine.home)}
    environment |= ALONE
    flags = ["--install-dir", str(machine.folder / "install"), "--cache-dir", str(machine.folder / "cache")]
    terminal = Terminal([str(AGENT), "setup", *flags], environment, "xterm-256color")
    terminal.answer("What to back up", str(machine.files))
    terminal.answer("Proxy address")
    terminal.answer("Vault credentials file", str(credentials))
    terminal.answer("Name of this machine", machine.name)
    terminal.answer("1 generate one")
    terminal.answer("File to save the passphrase to", str(tmp_path / "passphrase.txt"))
    terminal.answer("Set up this machine?")
    terminal.shows("is registered with vault By-Hand, backed up and restored", LIMIT)
    assert terminal.ends() == 0
    assert f"{portal.edge_url} answers, and the clocks agree" in terminal.text
    passphrase = (tmp_path / "passphrase.txt").read_text().strip()
    assert len(passphrase) >= 16
    assert passphrase not in terminal.raw

    expect(staff.page.get_by_text("That was by-hand-01.")).to_be_visible()
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    machine.agent("restore", "--target", tmp_path / "back")
    assert contents(restored(tmp_path / "back", machine.files)) == before
