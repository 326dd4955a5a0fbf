"""Objects as machines store them, put straight into the folder of a local region."""

import hashlib
import os
import time
from pathlib import Path
from uuid import UUID

CONFIG = b"as long as a config is " * 7


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class MachineFolder:
    """A machine's folder in a region that is a folder of this machine."""

    def __init__(self, region: Path, vault_id: UUID, machine_id: UUID) -> None:
        self.region = region
        self.path = f"{vault_id}/{machine_id}"

    def put(self, kind: str, data: bytes, *, name: str = "", age: float = 7200) -> str:
        """Store `data` under its digest (or `name`), as if `age` seconds ago; gives its path in the region."""
        name = name or digest(data)
        return self.put_at(f"{kind}/{name[:2]}/{name}" if kind == "data" else f"{kind}/{name}", data, age=age)

    def put_at(self, path: str, data: bytes, *, age: float = 7200) -> str:
        """Store `data` at a path in the machine's folder; gives its path in the region."""
        file = self.region / self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (time.time() - age,) * 2)
        return f"{self.path}/{path}"


def files(folder: Path) -> dict[str, bytes]:
    """All files below the folder: contents by relative path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def backup(machine: MachineFolder, label: bytes) -> dict[str, bytes]:
    """What a first backup stores: by path in the region."""
    stored = {machine.put_at("config", CONFIG): CONFIG}
    for kind in ("keys", "data", "index", "snapshots"):
        data = label + kind.encode()
        stored[machine.put(kind, data)] = data
    return stored
