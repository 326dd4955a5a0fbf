"""The public keys that releases are believed by: two, which the package was built with; a site has its own.

The private halves are never on a portal. An update that either of them has signed may bring another pair.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib import resources

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom_agent.core.errors import AgentError

FILE = "keys.json"
MOST = 2
Keys = Mapping[str, Ed25519PublicKey]
"""By the id that manifests name them with."""


def built_in() -> Keys:
    """The keys of this package. AgentError `no_update_keys` where it was built without."""
    file = resources.files(__package__).joinpath(FILE)
    if not file.is_file():
        raise AgentError(
            "no_update_keys",
            "This agent was built without update keys, so it believes no release and does not update itself.",
            "Set the machine up again with a newer package from the Agents page; setup changes nothing else. An "
            "administrator finds in docs/updating.md how packages are built that update themselves.",
        )
    return read(file.read_text(encoding="utf-8"))


def read(text: str) -> Keys:
    """The keys in such a file. ValueError when it is none."""
    listed = json.loads(text)["keys"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
        raise ValueError(f"there must be one or {MOST} keys")
    raw = [base64.b64decode(each, validate=True) for each in listed]
    return {key_id(each): Ed25519PublicKey.from_public_bytes(each) for each in raw}


def key_id(raw: bytes) -> str:
    """How a manifest names the key with these 32 bytes."""
    return hashlib.sha256(raw).hexdigest()[:16]


def signed_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the key has signed exactly this."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
