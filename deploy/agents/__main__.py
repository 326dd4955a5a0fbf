"""Builds the agent's packages for Linux: `python -m deploy.agents [--afresh] [--twice]`; `make agents` publishes them.

They lie in build/agents/packages, which `packages.json` lists for `manage.py publish_agent --built`. --afresh compiles
again what was kept; --twice makes everything a second time from nothing and fails where a byte differs.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from strongroom_agent import __version__

from deploy.agents import bill, compiled, debian, folder, packed, pins, room, symbols

STORE = folder.ROOT / "build" / "agents"
BUILT = STORE / "packages"
FACTS = "packages.json"
STARTS = 5


def main(arguments: list[str] | None = None) -> int:
    """Build, check, measure, and say what there is; 1 with the reason where it cannot be built here."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.agents", description="Build the agent's packages for Linux."
    )
    parser.add_argument("--afresh", action="store_true", help="compile again what was kept")
    parser.add_argument("--twice", action="store_true", help="build all a second time, and compare")
    given = parser.parse_args(arguments)
    try:
        _require_root()
        made = build(BUILT, afresh=given.afresh)
        if given.twice:
            _compare(made)
    except (pins.NoInput, debian.Unavailable, room.NoRoom, symbols.Misfit) as error:
        sys.stderr.write(f"The agent's packages for Linux cannot be built: {error}\n")
        return 1
    return 0


def build(output: Path, *, afresh: bool = False) -> dict[str, str]:
    """Build into the folder `output`, in place of what is there; the SHA-256 of each file."""
    interpreter, restic = compiled.interpreter(STORE, afresh=afresh), compiled.restic(STORE, afresh=afresh)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "strongroom-agent"
        folder.assemble(tree, STORE, interpreter, restic)
        newest = symbols.check(tree)
        draft = Path(scratch) / "packages"
        draft.mkdir()
        bills = draft / f"strongroom-agent-{__version__}-{platform.machine()}.cdx.json"
        bills.write_text(bill.bill(interpreter, restic), encoding="utf-8")
        shutil.copy(bills, tree / "bill-of-materials.cdx.json")
        folder.settle(tree)
        made = packed.pack(tree, draft)
        facts = [_facts(name, path, bills) for name, path in made.items()]
        (draft / FACTS).write_text(json.dumps(facts, indent=2) + "\n")
        _say(facts, tree, newest)
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, output)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.iterdir())}


def _facts(name: str, path: Path, bills: Path) -> dict[str, object]:
    return {
        "file": path.name,
        "kind": name,
        "platform": "linux",
        "architecture": platform.machine(),
        "version": __version__,
        "size": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bill": bills.name,
    }


def _say(facts: list[dict[str, object]], tree: Path, newest: tuple[int, int]) -> None:
    """Sizes, what it runs on, and how long it takes to say its version: the quickest and slowest of a few starts."""
    for each in facts:
        sys.stdout.write(f"{each['file']}  {int(str(each['size'])) / 2**20:.1f} MiB  {each['sha256']}\n")
    size = sum(path.lstat().st_size for path in tree.rglob("*") if not path.is_dir()) / 2**20
    sys.stdout.write(f"Installed: {size:.1f} MiB. Newest symbol: GLIBC_{newest[0]}.{newest[1]}.\n")
    took = sorted(_seconds(tree / "strongroom-agent") for _ in range(STARTS))
    sys.stdout.write(f"--version: {took[0]:.2f} to {took[-1]:.2f} s in {STARTS} starts.\n")


def _seconds(program: Path) -> float:
    begun = time.perf_counter()
    subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def _compare(made: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        again = build(Path(scratch) / "packages", afresh=True)
    if different := sorted(name for name in made.keys() | again.keys() if made.get(name) != again.get(name)):
        raise symbols.Misfit(f"the second build differs in {', '.join(different)}.")
    sys.stdout.write(f"A second build gave the same bytes of {len(made)} files.\n")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise room.NoRoom("a bare Debian is made and entered as root only. Run it as root, in a throw-away machine.")


if __name__ == "__main__":
    sys.exit(main())
