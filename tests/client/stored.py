"""What is stored of a machine in the two regions of the tests, and ways to damage it."""

import os
import shutil
from pathlib import Path

from .serving import Storage
from .world import World

HOWS = ("zeros", "flipped", "half", "gone", "foreign")


def repository(storage: Storage, world: World, region: str = "local-a") -> Path:
    """The folder of the machine's repository in a region."""
    machine = next(iter(world.peer.machines))
    return storage.folder / region / world.peer.vault["id"] / machine


def copy_to_pair(storage: Storage, world: World) -> None:
    """What the portal does after each backup."""
    pair = repository(storage, world, "local-b")
    shutil.rmtree(pair, ignore_errors=True)
    shutil.copytree(repository(storage, world), pair)


def objects(folder: Path, kind: str) -> list[Path]:
    """The objects of a kind. Packs of trees are told from packs of data by the index of their sizes: in these tests the
    data of a file is larger than all trees."""
    if kind == "config":
        return [folder / "config"]
    if kind not in ("tree", "data"):
        return sorted((folder / kind).iterdir())
    packs = sorted(
        (path for path in (folder / "data").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    largest = packs[-1].stat().st_size
    return [path for path in packs if (path.stat().st_size * 4 > largest) is (kind == "data")]


def damage(path: Path, how: str) -> None:
    """Damage one object as a disk, a crash or a person would."""
    content = bytearray(path.read_bytes())
    path.chmod(0o600)
    match how:
        case "zeros":
            path.write_bytes(bytes(len(content)))
        case "flipped":
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case "foreign":
            path.write_bytes(os.urandom(len(content)))
        case "gone":
            path.unlink()


def truth(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder, by its name there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".strongroom-" not in path.name
    }
