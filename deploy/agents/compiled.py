"""What is compiled: the interpreter with OpenSSL in a bare Debian 11, restic in a bare Debian 13.

Each is kept under the digest of all that it is made from, but for Debian's compilers and Go packages: what these are at
the time is what Debian has, vouched for by the archive's keys.
"""

import hashlib
import shutil
import tarfile
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from deploy.agents import room
from deploy.agents.pins import Fixes, Pin, get, pins
from deploy.agents.room import Room

HERE = Path(__file__).parent
PREFIX = "/opt/strongroom-agent/python"
"""Where it is compiled for; it runs wherever it lies."""
SECONDS = "1700000000"
"""The time that everything says it is from, so that the same inputs give the same bytes."""
_OLDEST, _NEWEST = "bullseye", "trixie"
_TOOLS = ("build-essential", "patch", "patchelf", "perl", "xz-utils", "libffi-dev")


def interpreter(store: Path, *, afresh: bool = False) -> Path:
    """The folder with `python`, which is CPython and OpenSSL, from `store` or compiled now: eight minutes on two cores.

    Beside it lie, as beside restic, `packages` and `licences` of what Debian has put into it.
    """
    given = [pins()[name] for name in ("python", "openssl", "zlib")]
    place = store / f"interpreter-{_key('interpreter.sh', given, _OLDEST, *_TOOLS)}"
    if place.is_dir() and not afresh:
        return place
    with room.bare(_OLDEST) as bare:
        bare.install(*_TOOLS)
        lay(bare, given, store)
        _script(bare, "interpreter.sh", PREFIX=PREFIX)
        return _keep(bare.root / "work/made", place)


def restic(store: Path, *, afresh: bool = False) -> Path:
    """The folder with `restic`, one static program, and with what is linked into it: `packages`, `licences`."""
    pin = pins()["restic"]
    place = store / f"restic-{_key('restic.sh', [pin], _NEWEST)}"
    if place.is_dir() and not afresh:
        return place
    with room.bare(_NEWEST) as bare:
        bare.install("restic", verb="build-dep")
        lay(bare, [pin], store)
        _script(bare, "restic.sh", VERSION=pin.version)
        return _keep(bare.root / "work/made", place)


def licences(store: Path) -> dict[str, bytes]:
    """The licence of each input, by its name."""
    return {pin.name: licence(pin, store) for pin in pins().values()}


def licence(pin: Pin, store: Path) -> bytes:
    """The text of the licence in the input's source archive."""
    with tarfile.open(get(pin, store / "inputs")) as archive:
        member = next(each for each in archive if each.name.split("/", 1)[-1] == pin.licence_file)
        content = archive.extractfile(member)
        return content.read() if content else b""


def _key(script: str, given: list[Pin], *more: str) -> str:
    facts = [(HERE / script).read_text(), *map(repr, given), *more, SECONDS]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def lay(bare: Room, given: list[Pin], store: Path) -> None:
    """Put the inputs into the room, as NAME.tar and the folder NAME.patches."""
    work = bare.root / "work"
    work.mkdir()
    for pin in given:
        shutil.copyfile(get(pin, store / "inputs"), work / f"{pin.name}.tar")
        if pin.fixes:
            _unpack(get(pin.fixes, store / "inputs"), work / f"{pin.name}.patches", pin.fixes)


def _unpack(archive: Path, folder: Path, fixes: Fixes) -> None:
    """The patches of the series that are wanted, named so that their order is that of the series."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(archive) as whole:
        whole.extractall(scratch, filter="data")
        patches = Path(scratch) / "debian" / "patches"
        series = [line.split()[0] for line in (patches / "series").read_text().splitlines() if line.split()]
        wanted = [name for name in series if any(fnmatch(name, pattern) for pattern in fixes.take)]
        for number, name in enumerate(wanted):
            shutil.copyfile(patches / name, folder / f"{number:03}-{name}")


def _script(bare: Room, name: str, **environment: str) -> None:
    shutil.copyfile(HERE / name, bare.root / "work" / name)
    bare.run("sh", f"/work/{name}", environment={"SOURCE_DATE_EPOCH": SECONDS, **environment})


def _keep(made: Path, place: Path) -> Path:
    """In place of one made earlier, as a whole."""
    draft = place.with_name(f".{place.name}")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(made, draft, symlinks=True)
    shutil.rmtree(place, ignore_errors=True)
    return draft.rename(place)
