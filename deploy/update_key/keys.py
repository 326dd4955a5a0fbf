"""Private keys in files of their own (mode 0600), public ones in the file that agents are built with."""

import base64
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from strongroom_agent.update.keys import MOST, key_id

_PEM = serialization.Encoding.PEM
_RAW = serialization.Encoding.Raw


class KeyTrouble(Exception):
    """A key, or a file of public keys, cannot be used; says why, and what to do."""


def make(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """A new private key in a new file for its owner alone. KeyTrouble when the file is there, or cannot be written."""
    key = Ed25519PrivateKey.generate()
    sealed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        sealed = serialization.BestAvailableEncryption(passphrase)
    content = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, sealed)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise KeyTrouble(f"{path} is there already. A key is never replaced: give another name.") from error
    except OSError as error:
        raise KeyTrouble(f"{path} cannot be written: {error.strerror}.") from error
    return key


def load(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """The private key. KeyTrouble where it cannot be read, others could read it, or the passphrase does not fit."""
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise KeyTrouble(f"{path} cannot be read: {error.strerror}.") from error
    if os.name == "posix" and mode & 0o077:
        raise KeyTrouble(f"Others may read {path}. Run: chmod 600 {path}; and if somebody may have, make another key.")
    try:
        key = serialization.load_pem_private_key(content, passphrase)
    except (ValueError, TypeError) as error:
        wanted = "needs a passphrase" if passphrase is None else "does not open with this passphrase"
        raise KeyTrouble(f"{path} is no private key, or {wanted} (--passphrase-file FILE).") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyTrouble(f"{path} holds another kind of key. Make one with: python -m deploy.update_key new FILE")
    return key


def public(keys: list[Ed25519PrivateKey]) -> str:
    """The file that agents are built with."""
    listed = [base64.b64encode(raw(key)).decode() for key in keys]
    if len(set(listed)) != len(listed) or not 1 <= len(listed) <= MOST:
        raise KeyTrouble(f"Give one key, or {MOST} different ones: the second is for the day when the first is lost.")
    return json.dumps({"keys": listed}, indent=2) + "\n"


def raw(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public half."""
    return key.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw)


def id_of(key: Ed25519PrivateKey) -> str:
    """How manifests name it."""
    return key_id(raw(key))
