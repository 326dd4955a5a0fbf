"""Command lines for people to copy, quoted for a POSIX shell."""

import shlex
from pathlib import PurePosixPath

from agents.packages.publish import signature_name

PROGRAM = "strongroom-agent"
INSTALLED = f"/opt/strongroom-agent/{PROGRAM}"
"""Where the command line of the Quick Start page has setup put the program; what it keeps belongs to root then."""
KEPT = "/root/strongroom-passphrase"
"""Where the same command line keeps the passphrase: outside of what it protects, which setup insists on."""
BACKUP = f"sudo {INSTALLED} backup"
"""Makes one backup now."""
SCHEDULE = f"sudo {INSTALLED} schedule"
"""Says when the machine backs itself up; with `daily HH:MM` behind it, sets that."""


def unpack_command(package_file: str, kind: str) -> str:
    """Installs the downloaded package, or makes it a program in the same folder where it is a single file."""
    name = shlex.quote(package_file)
    return {
        "deb": f"sudo apt install {shlex.quote(f'./{package_file}')}",
        "rpm": f"sudo dnf install {shlex.quote(f'./{package_file}')}",
        "archive": f"sudo tar -xzf {name} -C {PurePosixPath(INSTALLED).parents[1]} --no-same-owner",
    }.get(kind, f"mv {name} {PROGRAM} && chmod +x {PROGRAM}")


def digest_command(package_file: str, sha256: str) -> str:
    """Says whether the downloaded package has the digest that the page shows."""
    return f"echo {shlex.quote(f'{sha256}  {package_file}')} | sha256sum -c"


def signature_command(package_file: str) -> str:
    """Says whether the package is by the holder of the key in the credential file; needs jq and its `.sig`."""
    name = shlex.quote(package_file)
    return (
        "jq -r .agent_signing_key *.VaultCredentials > signing-key.pem &&\n"
        f"openssl dgst -sha256 -verify signing-key.pem -signature {shlex.quote(signature_name(package_file))} {name}"
    )


def setup_command(credential_file: str, *, kind: str) -> str:
    """Registers a machine, backs it up and restores it; run in the folder with the credential file, and with the
    program where that is a single file. `kind`: of the package that was downloaded; "" where there is none."""
    return _setup(credential_file, f"--generate-passphrase --save-passphrase-to {KEPT}", kind)


def replace_command(credential_file: str, *, kind: str) -> str:
    """The same for the place of a machine that is there: its backups open with the passphrase that they were made
    with."""
    return _setup(credential_file, f"--passphrase-file {KEPT}", kind)


def _setup(credential_file: str, passphrase: str, kind: str) -> str:
    program = {"pex": f"sudo ./{PROGRAM}", "archive": f"sudo {INSTALLED}"}.get(kind, f"sudo {PROGRAM}")
    lines = (
        f"{program} setup --unattended",
        f"--credentials {shlex.quote(credential_file)}",
        f"--install-dir {PurePosixPath(INSTALLED).parent} --cache-dir /var/cache/strongroom-agent",
        "--protect /home",
        passphrase,
    )
    return " \\\n  ".join(lines)
