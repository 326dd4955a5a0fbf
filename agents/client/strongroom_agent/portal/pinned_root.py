"""Whom to trust before there is a credential file: a root certificate by its SHA-256, which a person was given.

The certificate itself is fetched from the edge without believing anybody, and counts only if it has that digest. All
that follows trusts this root and nothing else, with the usual checks of name, times and usage: nothing is believed
because it was there first.
"""

import re

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom_agent.core.errors import AgentError

from . import answers, keys
from .client import describe, pauses, unreachable

PATH = "/agents/root.pem"
_MOST = 64 * 1024
_TIMEOUT = httpx.Timeout(30, connect=10)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def fetch(edge_url: str, digest: str, proxy: str | None) -> str:
    """The root with this SHA-256 (of its DER, in hex), as PEM. AgentError `edge_untrusted` when the edge has none."""
    for root in _named(edge_url, _answer(edge_url, proxy)):
        if fingerprint(root) == digest:
            return root.public_bytes(Encoding.PEM).decode()
    raise untrusted(edge_url, "it does not know the root certificate with that SHA-256")


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 as we write it."""
    return bool(_DIGEST.fullmatch(text))


def untrusted(edge_url: str, why: str) -> AgentError:
    """Whoever answers is not the Strongroom that the line was made for. Nothing has been sent to it."""
    return AgentError(
        "edge_untrusted",
        f"The server at {edge_url} is not the one that --ca-sha256 is for: {why}. No code was sent.",
        "Copy the line from the vault's Quick Start page again. If it stays so, somebody may be between this machine "
        "and Strongroom: tell an administrator of the portal.",
    )


def _answer(edge_url: str, proxy: str | None) -> bytes:
    failure = unreachable(edge_url, "it was not asked", proxy)
    # Nobody is believed here: what comes is compared with the digest.
    with httpx.Client(verify=False, proxy=proxy, timeout=_TIMEOUT, trust_env=False) as client:  # noqa: S501
        for _ in pauses():
            try:
                with client.stream("GET", edge_url + PATH, headers=answers.PLAIN) as response:
                    body = answers.read(response, most=_MOST)
            except httpx.TransportError as error:
                failure = unreachable(edge_url, describe(error), proxy)
                continue
            if response.status_code == 200:
                return body
            failure = unreachable(edge_url, f"it answered {response.status_code} for {PATH}", proxy)
            if response.status_code < 500:
                break
    raise failure


def _named(edge_url: str, body: bytes) -> list[x509.Certificate]:
    try:
        return keys.load_chain(body.decode("ascii"))
    except ValueError as error:
        raise untrusted(edge_url, "what it names as its root certificates is none") from error
