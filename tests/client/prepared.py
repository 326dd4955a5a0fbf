"""A machine that was set up once and is put back as it was before each test: to set one up takes two seconds of CPU."""

import copy
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .authority import Authority
from .peer import Faults
from .serving import Storage, serving
from .stored import copy_to_pair, repository
from .world import World

CHANGING = ("home", "cache")  # below the machine's folder, put back each time; where more has changed, it is made anew
STATE = ("vault", "machines", "replaced", "taken", "runs", "seen_jti", "requests", "regions", "url", "retention")
"""What the test portal knows."""
REGIONS = ("local-a", "local-b")
Signature = frozenset[tuple[str, int, int]]


@dataclass(frozen=True)
class Prepared:
    """A machine that is backed up and copied to the pair, and what it was like then."""

    world: World
    storage: Storage
    saved: Path
    names: frozenset[str]  # in the machine's folder
    signature: Signature
    state: Mapping[str, object]

    @property
    def untouched(self) -> bool:
        """Whether all that `reset()` does not put back is as it was: what is protected, above all. A copy in its place
        would have other times of change, so that what is lost of its folders could not be stored again."""
        return _signature(self.world.root, self.names) == self.signature

    def reset(self) -> World:
        """Put back as it was all that commands change: the machine's state and cache, the regions, the test portal."""
        world = self.world
        for path in world.root.iterdir():
            if path.name in CHANGING or path.name not in self.names:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name in CHANGING:
            shutil.copytree(self.saved / name, world.root / name, symlinks=True)
        for region in REGIONS:
            shutil.rmtree(repository(self.storage, world, region), ignore_errors=True)
            shutil.copytree(self.saved / region, repository(self.storage, world, region))
        for name, value in copy.deepcopy(dict(self.state)).items():
            setattr(world.peer, name, value)
        world.peer.faults = Faults()
        world.peer.uploading.clear()
        return world


@contextmanager
def prepared(authority: Authority, folder: Path, storage: Storage, files: Mapping[str, bytes]) -> Iterator[Prepared]:
    """A machine that protects these files, in a folder of its own."""
    root, saved = folder / "machine", folder / "saved"
    root.mkdir()
    with serving(authority, root, storage.rclone) as peer:
        peer.regions = storage.folder
        world = World(root, peer)
        for name, content in files.items():
            (world.source / name).parent.mkdir(parents=True, exist_ok=True)
            (world.source / name).write_bytes(content)
        ran = world.setup()
        assert ran.status == 0, ran
        copy_to_pair(storage, world)
        for name in CHANGING:
            shutil.copytree(root / name, saved / name, symlinks=True)
        for region in REGIONS:
            shutil.copytree(repository(storage, world, region), saved / region)
        names = frozenset(path.name for path in root.iterdir())
        peer.runs.clear()
        state = copy.deepcopy({name: getattr(peer, name) for name in STATE})
        yield Prepared(world, storage, saved, names, _signature(root, names), state)


class Kept:
    """The one that all tests of a process are given, made anew after a test that has changed what is protected."""

    def __init__(self, authority: Authority, folder: Path, storage: Storage) -> None:
        self._authority, self._folder, self._storage = authority, folder, storage
        self._stack, self._made = ExitStack(), 0
        self._prepared: Prepared | None = None

    def machine(self) -> World:
        """It, with a large file and a small one in a folder below, as it was at first."""
        if self._prepared is None or not self._prepared.untouched:
            self.close()
            self._made += 1
            place = self._folder / str(self._made)
            place.mkdir()
            files = {"ledger.db": os.urandom(2_000_000), "sub/small": b"small"}
            self._prepared = self._stack.enter_context(prepared(self._authority, place, self._storage, files))
        return self._prepared.reset()

    def close(self) -> None:
        """End what serves it."""
        self._prepared = None
        self._stack.close()


def _signature(root: Path, names: Iterable[str]) -> Signature:
    """Changes with the content, names, owners and modes of what is there beside CHANGING."""
    places = [root / name for name in names if name not in CHANGING]
    found = [each for place in places for each in (place, *place.rglob("*"))]
    return frozenset((str(path), path.lstat().st_ino, path.lstat().st_ctime_ns) for path in found if path.exists())
