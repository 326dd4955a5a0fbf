"""One-time codes: a code from the Quick Start page becomes a credential for a key that is made here.

What comes back is the credential file but for its private key, which never leaves this machine. It is kept in the state
folder until setup is done; from then on setup goes on as with a file that somebody has downloaded.
"""

import getpass
import hashlib
import json
import re
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.core.output import progress
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home

from . import keys, pinned_root
from .client import Portal

FILE = "code.VaultCredentials"
_ATTEMPT = "code.json"
_WELL_FORMED = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")
_MISTAKEN = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_LENGTH = 12
ASKED = "-"
"""Instead of a code: it is asked for."""
_LONGEST = 200  # characters of a line that may hold a code


@dataclass(frozen=True)
class Offered:
    """What the line of the Quick Start page says: the code (`-`: ask for it), where to take it, and for which vault."""

    code: str = field(repr=False)
    edge_url: str
    ca_sha256: str
    vault_id: str


def offered(code: str, edge_url: str | None, ca_sha256: str | None, vault_id: str | None) -> Offered:
    """What the flags say, in its usual form. AgentError `usage` where something lacks or is malformed."""
    if not edge_url or not ca_sha256 or not vault_id:
        raise usage(
            "--code needs --edge URL, --ca-sha256 HEX and --vault ID.",
            "Copy the whole line from the vault's Quick Start page.",
        )
    if code != ASKED:
        normal(code)
    return Offered(code, address(edge_url), digest(ca_sha256), vault(vault_id))


def address(text: str) -> str:
    """Where machines reach the portal, without a slash at its end. AgentError `usage` for anything else."""
    if not re.fullmatch(r"https://[^/\s@?#]+/?", text):
        raise usage(f"--edge {text} is not an https address without a path.", "Copy it from the Quick Start page.")
    return text.rstrip("/")


def digest(text: str) -> str:
    """A SHA-256 in small letters without colons. AgentError `usage` for anything else."""
    found = text.replace(":", "").lower()
    if not pinned_root.is_digest(found):
        raise usage("--ca-sha256 is not a SHA-256: 64 hexadecimal digits.", "Copy the line from the Quick Start page.")
    return found


def vault(text: str) -> str:
    """A vault's identifier in its usual form. AgentError `usage` for anything else."""
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise usage(
            f"--vault {text} is not the identifier of a vault.", "Copy it from the Quick Start page."
        ) from error


def resembles_code(text: str) -> bool:
    """Whether somebody who typed this where a file could stand meant a code: about as many letters and digits."""
    plain = text.strip().replace("-", "").replace(" ", "")
    return plain.isalnum() and abs(len(plain) - _LENGTH) <= 2 and not Path(text).exists()


def exchange(home: Home, given: Offered, name: str, proxy: str | None) -> None:
    """Have the credential of the code in the state folder, as FILE; asks for the code if need be.

    An interrupted setup goes on with what it has: a code is redeemed once. The key is on disk before it is sent, so
    that after a lost answer the same code gives the same credential. AgentError when the portal refuses the code, or is
    not the one that the line is for.
    """
    if identity.load(home) is not None and home.path(FILE).exists():
        return
    code = normal(_ask() if given.code == ASKED else given.code)
    root = pinned_root.fetch(given.edge_url, given.ca_sha256, proxy)
    private_key = _key_of_attempt(home, code, given)
    progress(f"redeeming the one-time code at {given.edge_url}")
    fields = {"code": code, "csr": keys.certificate_request(private_key), "name": name, "vault": given.vault_id}
    document = Portal(given.edge_url, root, proxy).post_plain("redeem", _canonical(fields)).body
    _check(document, given)
    home.write_text(FILE, json.dumps({**document, "private_key": private_key}))


def forget(home: Home) -> None:
    """Setup is done: the credential is used up, and its key is of no more use."""
    home.remove(FILE)
    home.remove(_ATTEMPT)


def kept_at(home: Home) -> Path:
    """Where the credential of a code lies while setup is not done."""
    return home.path(FILE)


def _ask() -> str:
    """The code, typed without being shown, or the first line of what is piped in."""
    try:
        if sys.stdin.isatty():
            return getpass.getpass("One-time code, as the Quick Start page shows it: ")
        return sys.stdin.readline(_LONGEST)
    except EOFError:
        return ""


def normal(text: str) -> str:
    """The code without hyphens, in capitals; letters that look like digits are taken for those."""
    code = text.strip().upper().translate(_MISTAKEN)
    if not _WELL_FORMED.fullmatch(code):
        raise usage(
            "This is not a one-time code: it has twelve letters and digits, as in 7K3M-9QXT-2VFD.",
            "Type it as the vault's Quick Start page shows it.",
        )
    return code


def _canonical(fields: dict[str, str]) -> bytes:
    """RFC 8785; all values are texts."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _key_of_attempt(home: Home, code: str, given: Offered) -> str:
    this: dict[str, object] = {"code": hashlib.sha256(code.encode()).hexdigest(), "vault": given.vault_id}
    attempt = home.read_object(_ATTEMPT)
    if attempt is not None and {name: attempt.get(name) for name in this} == this:
        return str(attempt["private_key"])
    private_key = keys.generate()
    home.write_object(_ATTEMPT, {**this, "private_key": private_key})
    return private_key


def _check(document: dict[str, object], given: Offered) -> None:
    """That it is of the portal and vault that the line names; the rest is checked as of any credential file."""
    try:
        roots = [pinned_root.fingerprint(each) for each in keys.load_chain(str(document.get("ca_certificates")))]
    except ValueError:
        roots = []
    if given.ca_sha256 not in roots:
        raise pinned_root.untrusted(given.edge_url, "the credential that it gave is for other root certificates")
    vault = document.get("vault")
    if not isinstance(vault, dict) or vault.get("id") != given.vault_id:
        raise AgentError(
            "answer_not_understood",
            "The credential that the portal gave is for another vault than the line names.",
            "Copy the line from the vault's Quick Start page again.",
        )
