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
EVERY_NIGHT = (
    f"printf 'PATH=/usr/local/bin:/usr/bin:/bin\\n%d 2 * * * root {INSTALLED} backup\\n' \"$((RANDOM % 60))\" |\n"
    "  sudo tee /etc/cron.d/strongroom-agent"
)
"""Makes one each night, at some minute past two, so that machines do not all begin at once."""


def unpack_command(package_file: str) -> str:
    """Makes the downloaded package a program in the same folder."""
    return f"mv {shlex.quote(package_file)} {PROGRAM} && chmod +x {PROGRAM}"


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


def setup_command(credential_file: str, *, downloaded: bool) -> str:
    """Registers a machine, backs it up and restores it; run in the folder with the credential file, and with the
    program when that was `downloaded` instead of being installed."""
    return _setup(credential_file, f"--generate-passphrase --save-passphrase-to {KEPT}", downloaded=downloaded)


def replace_command(credential_file: str, *, downloaded: bool) -> str:
    """The same for the place of a machine that is there: its backups open with the passphrase that they were made
    with."""
    return _setup(credential_file, f"--passphrase-file {KEPT}", downloaded=downloaded)


def _setup(credential_file: str, passphrase: str, *, downloaded: bool) -> str:
    program = f"sudo ./{PROGRAM}" if downloaded else f"sudo {PROGRAM}"
    lines = (
        f"{program} setup --unattended",
        f"--credentials {shlex.quote(credential_file)}",
        f"--install-dir {PurePosixPath(INSTALLED).parent} --cache-dir /var/cache/strongroom-agent",
        "--protect /home",
        passphrase,
    )
    return " \\\n  ".join(lines)
