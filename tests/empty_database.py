"""A migrated, empty SQLite database for portals of tests, made once for the same migrations: they take three seconds.

Kept beside pytest's own cache. The portal that most tests share starts from nothing instead.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".pytest_cache"
NAME = "strongroom.sqlite3"


def give(data: Path) -> None:
    """Lay one into a data folder that has none."""
    if not (data / NAME).exists():
        shutil.copyfile(_made(), data / NAME)
        (data / NAME).chmod(0o600)


def _made() -> Path:
    KEPT.mkdir(exist_ok=True)
    place = KEPT / f"empty-{_digest()}.sqlite3"
    with (KEPT / "empty.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for older in KEPT.glob("empty-*.sqlite3"):
                older.unlink()
            with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
                environment = {**os.environ, "STRONGROOM_DATA": scratch, "DJANGO_SETTINGS_MODULE": "portal.settings"}
                migrate = [sys.executable, str(ROOT / "manage.py"), "migrate", "--no-input", "--verbosity", "0"]
                subprocess.run(migrate, env=environment, check=True, timeout=300)
                shutil.move(Path(scratch) / NAME, place)
    return place


def _digest() -> str:
    """Changes when a migration does, or what runs it."""
    digest = hashlib.sha256(django.__version__.encode())
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    digest.update((ROOT / "portal" / "core" / "name_index.py").read_bytes())  # makes indexes after migrations
    return digest.hexdigest()[:16]
