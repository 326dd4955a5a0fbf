"""Signing for Windows (Authenticode), by a certificate that whoever builds has; without one nothing is signed."""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A PKCS #12 file with certificate and key, the file with its password, and a server of time stamps, or none: then
    Windows believes the signature no longer than the certificate."""

    file: Path
    password: Path
    stamps: str = ""

    def command(self) -> list[str]:
        """Signs the file behind it in its place: a line for the shell, which has the path as its only argument."""
        given = ["-pkcs12", str(self.file), "-readpass", str(self.password), "-h", "sha256", "-n", "Strongroom agent"]
        stamped = [*given, "-ts", self.stamps] if self.stamps else given
        script = f'osslsigncode sign {shlex.join(stamped)} -in "$1" -out "$1.signed" >&2 && mv "$1.signed" "$1"'
        return ["sh", "-c", script, "sign"]

    def sign(self, file: Path) -> None:
        """Sign it. Raises SystemExit with what the tool says."""
        done = subprocess.run([*self.command(), str(file)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{file.name} could not be signed: {(done.stdout + done.stderr).strip()[-2000:]}")
