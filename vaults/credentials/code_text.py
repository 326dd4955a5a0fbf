"""What a one-time code looks like: twelve characters of Crockford's base32, 60 bits, in groups of four."""

import hashlib
import hmac
import re
import secrets

from django.conf import settings

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 12, 4
WELL_FORMED = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_KEY_FOR = b"strongroom one-time code"


def new() -> str:
    """A code that nobody can guess, without its hyphens."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def grouped(code: str) -> str:
    """As people read and type it: `7K3M-9QXT-2VFD`."""
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def digest(code: str) -> str:
    """What is stored instead of it: an HMAC, so that a copy of the database alone says nothing of any code."""
    key = hashlib.sha256(_KEY_FOR + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, code.encode(), hashlib.sha256).hexdigest()
