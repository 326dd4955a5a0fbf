"""A release as somebody with an update key signs it, for a portal that knows the key."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.update_key import keys, release
from deploy.update_key.release import Given


@dataclass
class Signer:
    """`folder` is a place of its own, not the portal's."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def public(self) -> str:
        """The file with the public key, for AGENT_UPDATE_KEYS."""
        path = self.folder / "update-keys.json"
        path.write_text(keys.public([self.key]))
        return str(path)

    def release(self, version: str = "1.1.0", content: bytes = b"the agent", days: int = 90, name: str = "") -> Path:
        """The folder of a release of one file."""
        program = self.folder / f"program-{version}{name}"
        program.write_bytes(content)
        folder = self.folder / f"release-{version}{name}"
        release.sign(folder, version, [Given("linux", "x86_64", "pex", program)], self.key, days=days)
        return folder
