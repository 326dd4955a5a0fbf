"""A data folder as `manage.py prepare` leaves it, made once a day: that costs each first start five seconds of CPU.

Kept beside pytest's own cache. What starts from nothing instead says so (tests/run/test_stop.py).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".pytest_cache"
PLACED = ("regions.toml", "rclone.conf", "storage")
"""What says where the folder is, and is made anew by each start that lacks it."""


def give(data: Path) -> None:
    """Lay what one has into an empty data folder, for a portal on SQLite."""
    shutil.copytree(_made(), data, dirs_exist_ok=True)


def _made() -> Path:
    KEPT.mkdir(exist_ok=True)
    place = KEPT / f"prepared-{_digest()}"
    with (KEPT / "lock-of-prepared").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for older in KEPT.glob("prepared-*"):
                shutil.rmtree(older)
            with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
                environment = {**os.environ, "STRONGROOM_DATA": scratch, "DJANGO_SETTINGS_MODULE": "portal.settings"}
                subprocess.run([sys.executable, str(ROOT / "manage.py"), "prepare"], env=environment, check=True)
                shutil.copytree(scratch, place, ignore=shutil.ignore_patterns(*PLACED))
    return place


def _digest() -> str:
    """Changes with the day, for the certificates in it, and with migrations, or what runs them."""
    digest = hashlib.sha256(f"{django.__version__} {datetime.now(UTC):%Y-%m-%d}".encode())
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    digest.update((ROOT / "portal" / "core" / "name_index.py").read_bytes())  # makes indexes after migrations
    return digest.hexdigest()[:16]
