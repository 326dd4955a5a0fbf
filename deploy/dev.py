"""`make dev`: the portal as `make run` starts it; parts are restarted when what they have loaded changes.

Takes the same variables (PORT, EDGE_PORT, STRONGROOM_DATA). A page shows a changed template about two seconds later.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread

from watchfiles import Change, PythonFilter, watch

from deploy.runner import supervision
from deploy.runner.folder import ROOT
from deploy.runner.terminal import say

CODE = ("portal", "vaults", "agents")
PAGES = ("templates",)
COLLECTED = ("static",)
SUPERVISORCTL = str(Path(sys.executable).with_name("supervisorctl"))
SUFFIXES = (".html", ".js", ".css", ".svg")
LOADED_BY = {"front:web": (*CODE, *PAGES, *COLLECTED), "front:gate": CODE, "front:worker": CODE}


class Sources(PythonFilter):
    """Files that parts load: neither those of the agent's program, nor what editors leave beside them."""

    def __call__(self, change: Change, path: str) -> bool:
        """Whether somebody has to look at the change."""
        return super().__call__(change, path) and not Path(path).is_relative_to(ROOT / "agents" / "client")


def main() -> int:
    """Run the portal until it is told to stop; its exit status."""
    portal = subprocess.Popen([sys.executable, "-m", "deploy.runner"], cwd=ROOT)
    ended = Event()
    Thread(target=_follow, args=(ended,), daemon=True).start()
    try:
        return _waited_for(portal)
    finally:
        ended.set()


def _waited_for(portal: "subprocess.Popen[bytes]") -> int:
    while True:
        try:
            return portal.wait()
        except KeyboardInterrupt:  # the portal was told by the same terminal, and stops in order
            continue


def _follow(ended: Event) -> None:
    """Restart what has to be, for each change of the sources."""
    folders = [ROOT / name for name in (*CODE, *PAGES, *COLLECTED)]
    for changes in watch(*folders, watch_filter=Sources(extra_extensions=SUFFIXES), stop_event=ended, debounce=300):
        paths = {Path(path).relative_to(ROOT) for _, path in changes}
        parts = concerned(paths)
        say(f"{', '.join(sorted(map(str, paths)))}: restarting {', '.join(parts)}.")
        if any(path.parts[0] in COLLECTED for path in paths):
            _run([sys.executable, "manage.py", "prepare"])
        _run([SUPERVISORCTL, "-s", f"unix://{supervision.CONTROL}", "restart", *parts])


def concerned(paths: Iterable[Path]) -> list[str]:
    """The parts that have loaded any of these files, given below the project's folder."""
    folders = {path.parts[0] for path in paths}
    return [part for part, loaded in LOADED_BY.items() if folders & set(loaded)]


def _run(command: list[str]) -> None:
    """Run it; what it says is shown only when it fails: the portal may not be up yet, or the change not be whole."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        say(f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr).strip()[-500:]}")


if __name__ == "__main__":
    sys.exit(main())
