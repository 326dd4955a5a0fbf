"""Makes what docs/setup-wizard.md shows of the wizard: `python -m docs.pictures.wizard`.

It runs the wizard in a real terminal, against the test portal of the agent's tests, and writes down what the screen
shows. What differs each time (folders, times, free room) is written as it would be on a machine of its own.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from strongroom_agent.portal import pinned_root

from tests.client.authority import Authority
from tests.client.serving import serving
from tests.client.terminal import Terminal
from tests.client.world import World

PAGE = Path(__file__).resolve().parents[1] / "setup-wizard.md"
COLUMNS = 96
_VAULT = "8b1d0c5e-6c1f-4c55-9f0e-2a52d8c5b1f4"
_BLOCK = re.compile(r"(<!-- terminal: (\w+) -->\n```text\n).*?(```)", re.DOTALL)
_VARIES = (
    (
        re.compile(r"restic [\d.]+, \S+(; it makes.*?too old\.)?", re.DOTALL),
        "restic 0.18.0, /opt/strongroom-agent/restic",
    ),
    (re.compile(r"[\d.]+ .iB free"), "61.3 GiB free"),
    (re.compile(r"https://(localhost|127\.0\.0\.1):\d+"), "https://strongroom.example.com:8443"),
    (re.compile(r"\d+\s+\w{3}\s+\d{4},\s+\d\d:\d\d\s+UTC"), "24 Nov 2026, 17:40 UTC"),
)


def captures() -> dict[str, str]:
    """What the screen shows, by the names of the page."""
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as folder:
        root = Path(folder)
        with serving(Authority(), root, root / "none") as peer:
            machine = World(root, peer)
            machine.fill()
            (root / "person").mkdir()
            (root / "Payroll.VaultCredentials").write_text(json.dumps(peer.credential()))
            return {name: _as_anywhere(text, root) for name, text in _walk(machine)}


def _walk(machine: World) -> Iterator[tuple[str, str]]:
    """A wrong answer, a way back, the summary; then Ctrl-C, and going on."""
    terminal = _start(machine)
    terminal.answer("What to back up", str(machine.root / "srv"))
    terminal.answer("What to back up", str(machine.source))
    terminal.answer("Installation folder", str(machine.root / "program"))
    terminal.answer("Cache folder", str(machine.root / "cache"))
    terminal.answer("Proxy address")
    terminal.answer("Vault credentials file", str(machine.root / "Payroll.VaultCredentials"))
    terminal.answer("Name of this machine", "<")
    terminal.answer("Vault credentials file")
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.answer("1 generate one")
    terminal.answer("File to save the passphrase to", str(machine.root / "passphrase.txt"))
    terminal.asked("Set up this machine?")
    yield "steps", "\n".join(terminal.lines)
    terminal.process.send("\x03")
    terminal.ends()
    again = _start(machine)
    again.answer("Go on with what you entered")
    again.asked("Set up this machine?")
    yield "resumed", "\n".join(again.lines)
    again.process.send("\x03")
    again.ends()
    yield "code", _with_code(machine)


def _with_code(machine: World) -> str:
    """The step about the vault, with a code that is mistyped once."""
    terminal, root = _start(machine), pinned_root.fingerprint(machine.peer.authority.root.certificate)
    terminal.answer("Go on with what you entered", "no")
    terminal.answer("What to back up", str(machine.source))
    terminal.answer("Installation folder", str(machine.root / "program"))
    terminal.answer("Cache folder", str(machine.root / "cache"))
    terminal.answer("Proxy address")
    terminal.answer("Vault credentials file, or a one-time code", "7K3M-9QXT-2VFU")
    terminal.answer("Vault credentials file, or a one-time code", "7K3M-9QXT-2VFD")
    terminal.answer("Address of Strongroom for machines", machine.peer.url)
    terminal.answer("SHA-256 of its root certificate", root)
    terminal.answer("Identifier of the vault", machine.peer.vault["id"])
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.asked("1 generate one")
    shown = "\n".join(terminal.lines).replace(root, "9f2c" * 16).replace(machine.peer.vault["id"], _VAULT)
    terminal.process.send("\x03")
    terminal.ends()
    return "4/7 " + shown.partition("4/7 ")[2].partition("5/7 ")[0].rstrip()


def _start(machine: World) -> Terminal:
    environment = {"PATH": os.environ["PATH"], "HOME": str(machine.root / "person")}
    program = [sys.executable, "-X", "utf8", "-I", "-m", "strongroom_agent", "setup"]
    return Terminal(program, environment | {"STRONGROOM_AGENT_HOME": str(machine.home)}, "xterm-256color", COLUMNS)


def _as_anywhere(text: str, root: Path) -> str:
    text = text.replace(str(root / "source"), "/srv/payroll").replace(str(root / "program"), "/opt/strongroom-agent")
    text = text.replace(str(root / "cache"), "/var/cache/strongroom-agent").replace(str(root), "/root")
    for pattern, anywhere in _VARIES:
        text = pattern.sub(anywhere, text)
    return "\n".join(line.rstrip() for line in text.split("\n")) + "\n"


def on_page() -> dict[str, str]:
    """What the page shows, by the same names."""
    return {found[2]: found[0][len(found[1]) : -len(found[3])] for found in _BLOCK.finditer(PAGE.read_text())}


def main() -> None:
    """Write the page anew."""
    made = captures()
    PAGE.write_text(_BLOCK.sub(lambda found: found[1] + made[found[2]] + found[3], PAGE.read_text()))


if __name__ == "__main__":
    main()
