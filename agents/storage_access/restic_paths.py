"""Which requests to storage are well-formed: the paths and methods of restic's REST protocol, and no others.

The gateway behind us lists recursively above a repository and takes odd names, so nothing reaches it that is not
exactly one of these. There is no decoding and no normalising: what would need it does not match.
"""

import re
from dataclasses import dataclass

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_URI = re.compile(
    rf"/(?P<region>[a-z0-9-]{{1,32}})/(?P<vault>{_UUID})/(?P<machine>{_UUID})/"
    r"(?:(?P<create>\?create=true)|(?P<config>config)"
    r"|(?P<type>data|index|keys|locks|snapshots)/(?P<name>[0-9a-f]{64})?)",
    re.ASCII,
)
_READ = frozenset({"GET", "HEAD"})
_ADD = frozenset({"GET", "HEAD", "POST"})
_ADD_AND_REMOVE = frozenset({"GET", "HEAD", "POST", "DELETE"})
_REMOVABLE = frozenset({"locks", "index", "data", "snapshots"})


@dataclass(frozen=True)
class StorageRequest:
    """A well-formed request: whose folder it is for, and what it wants to do there."""

    region: str
    vault: str
    machine: str
    reads: bool
    stores: bool
    locks: bool
    adds_key: str
    """The name of the key that is to be stored: there may be two."""
    adds_index: bool
    removes: tuple[str, str] | None
    """Kind and name of the object that is to go: the deletions that the gateway does not do itself."""


def parse(method: str, uri: str) -> StorageRequest | None:
    """What the request is, by its method and its raw URI; None for what restic would never ask.

    Locks come and go with every reading too, so they are not counted as storing.
    """
    match = _URI.fullmatch(uri)
    if match is None or method not in _methods(match):
        return None
    return StorageRequest(
        region=match["region"],
        vault=match["vault"],
        machine=match["machine"],
        reads=method in _READ,
        stores=method == "POST" and match["type"] != "locks",
        locks=method == "POST" and match["type"] == "locks",
        adds_key=match["name"] if method == "POST" and match["type"] == "keys" else "",
        adds_index=method == "POST" and match["type"] == "index",
        removes=(match["type"], match["name"]) if method == "DELETE" and match["type"] != "locks" else None,
    )


def _methods(match: re.Match[str]) -> frozenset[str]:
    if match["create"]:
        return frozenset({"POST"})
    if match["config"]:
        return _ADD
    if not match["name"]:
        return _READ
    return _ADD_AND_REMOVE if match["type"] in _REMOVABLE else _ADD
