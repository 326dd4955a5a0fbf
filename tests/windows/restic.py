"""A restic for Windows, for tests, compiled from Debian's sources: the official one cannot be had everywhere."""

import hashlib
import shutil
from pathlib import Path

from deploy.agents import compiled, pins, room
from deploy.agents.__main__ import STORE

HERE = Path(__file__).parent / "for_tests"
_MORE = "golang-github-inconshreveable-mousetrap-dev"


def build() -> tuple[Path, str]:
    """The program and its version: kept from before, or compiled now, in four minutes on two cores, as root."""
    pin = pins.pins()["restic"]
    taken_in = [(HERE / name).read_text() for name in ("restic.sh", "winio.go")] + [repr(pin)]
    key = hashlib.sha256("\0".join(taken_in).encode()).hexdigest()[:16]
    kept = STORE / "windows" / f"for-tests-{key}" / "restic.exe"
    if kept.is_file():
        return kept, pin.version
    with room.bare("trixie") as bare:
        bare.install("restic", verb="build-dep")
        bare.install(_MORE)
        compiled.lay(bare, [pin], STORE)
        for name in ("restic.sh", "winio.go"):
            shutil.copyfile(HERE / name, bare.root / "work" / name)
        bare.run("sh", "/work/restic.sh", environment={"VERSION": pin.version})
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".draft")
        shutil.copyfile(bare.root / "work/made/restic.exe", draft)
        return draft.rename(kept), pin.version
