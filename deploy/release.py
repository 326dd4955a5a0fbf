"""Makes the files that a release publishes, in dist/, from the commit that is checked out: `python -m deploy.release`.

It publishes nothing. docs/operations/releasing.md says what comes before and after.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from strongroom_agent import __version__

from deploy import sbom

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
SUMS = "SHA256SUMS"
STAYS = {"README.md", "template.md"}
"""What lies in changes/ and is no change."""


def main() -> int:
    """Make them in place of older ones, and say what there is; 1, with the reasons, where this is no release."""
    if reasons := obstacles(ROOT, __version__):
        sys.stderr.write("\n  ".join([f"This is not {__version__} yet:", *reasons]) + "\n")
        return 1
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    source_archive()
    agent_package()
    sbom.main(DIST)
    sys.stdout.write(sums(DIST))
    return 0


def obstacles(root: Path, version: str) -> list[str]:
    """Why the commit checked out in `root` cannot be released as `version`: what is to be done first, a line each."""
    reasons = []
    if _git(root, "status", "--porcelain"):
        reasons.append("There are changes that are not committed.")
    if waiting := sorted({path.name for path in (root / "changes").iterdir()} - STAYS):
        reasons.append(f"changes/ still has {', '.join(waiting)}: run `make changelog`.")
    if f"\n## {version} (" not in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        reasons.append(f"CHANGELOG.md says nothing of {version}: run `make changelog`.")
    tags = [tag for tag in _git(root, "tag", "--points-at", "HEAD").split() if tag.startswith("v")]
    if tags not in ([], [f"v{version}"]):
        reasons.append(f"The commit is tagged {', '.join(tags)}.")
    if not tags and _git(root, "tag", "--list", f"v{version}"):
        reasons.append(f"v{version} is another commit, which may be published: check it out, or set another version.")
    return reasons


def source_archive() -> Path:
    """The commit's files, from which a portal can be started."""
    path = DIST / f"strongroom-{__version__}.tar.gz"
    prefix = f"--prefix=strongroom-{__version__}/"
    _git(ROOT, "archive", "--format=tar.gz", prefix, f"--output={path}", "HEAD")
    return path


def agent_package() -> Path:
    """The agent for Linux on this processor; takes up to a minute, and the package index."""
    draft = DIST / "strongroom-agent"
    command = [sys.executable, str(ROOT / "agents" / "client" / "build_package.py"), str(draft)]
    facts = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return draft.rename(DIST / f"strongroom-agent-{__version__}-{facts['platform']}-{facts['architecture']}")


def sums(folder: Path) -> str:
    """Writes SHA256SUMS over the files of the folder, for `sha256sum --check`; what it says."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / SUMS).write_text(lines)
    return lines


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
