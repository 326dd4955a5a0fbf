"""A restic key that is cheap to try: each restic that opens a repository derives it anew, at half a second of CPU.

The format is that of https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac.
"""

import base64
import json
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

PASSPHRASE = "correct horse battery staple"
"""The tests' own."""
CHEAP = {"N": 2, "r": 8, "p": 1}
_IV, _MAC = 16, 16


def cheap(stored: bytes, passphrase: str) -> bytes:
    """The stored key sealed anew with the same passphrase; as it is when it is sealed with another one."""
    key = json.loads(stored)
    sealed = base64.b64decode(key["data"])
    iv, text, mac = sealed[:_IV], sealed[_IV:-_MAC], sealed[-_MAC:]
    derived = _derived(key, passphrase)
    if mac != _mac(derived, iv, text):
        return stored
    content = _counter(derived[:32], iv, text)
    key |= CHEAP
    derived, iv = _derived(key, passphrase), os.urandom(_IV)
    text = _counter(derived[:32], iv, content)
    key["data"] = base64.b64encode(iv + text + _mac(derived, iv, text)).decode()
    return json.dumps(key).encode()


def _derived(key: dict[str, int | str], passphrase: str) -> bytes:
    """32 bytes to encrypt with, then 16 and 16 for the MAC."""
    salt = base64.b64decode(str(key["salt"]))
    return Scrypt(salt=salt, length=64, n=int(key["N"]), r=int(key["r"]), p=int(key["p"])).derive(passphrase.encode())


def _counter(key: bytes, iv: bytes, text: bytes) -> bytes:
    worker = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return worker.update(text) + worker.finalize()


def _mac(derived: bytes, iv: bytes, text: bytes) -> bytes:
    """Poly1305-AES: the one-time key is r and the nonce, encrypted."""
    block = Cipher(algorithms.AES(derived[32:48]), modes.ECB()).encryptor()  # noqa: S305 - one block, as the MAC wants
    return Poly1305.generate_tag(derived[48:64] + block.update(iv) + block.finalize(), text)
