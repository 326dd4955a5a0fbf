"""Looking for secrets in files: as they are and as programs write them, whole or broken over a page's or line's end."""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{48,}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_DEPTH = 2
_UNPACKED = 4 * 1024 * 1024  # bytes looked at of each compressed stream


def found_in(folders: Iterable[Path], secrets: Mapping[str, bytes], *, since: float = 0) -> dict[str, set[str]]:
    """For each secret that left a trace, the files below `folders` that hold it; secrets have at least 16 bytes.

    Files that nobody has touched since `since` (seconds, as time.time() gives them) are left out.
    """
    wanted = {name: pieces(value) for name, value in secrets.items()}
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        for content in _readings(_content(path, since), _DEPTH):
            for name, marks in wanted.items():
                if any(mark in content for mark in marks):
                    found.setdefault(name, set()).add(path.name)
    return found


def pieces(secret: bytes) -> set[bytes]:
    """Parts of each spelling of the secret, so short that one is left whole when the spelling is broken once."""
    marks: set[bytes] = set()
    for spelling in _spellings(secret):
        size = len(spelling) // 4
        marks |= {spelling[start : start + size] for start in range(0, len(spelling) - size + 1, size)}
    return marks


def _spellings(secret: bytes) -> Iterator[bytes]:
    """Raw, hexadecimal, and base64 in both alphabets at each place within the three bytes that it takes together."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        padded = bytes(before) + secret
        inner = slice(-(-before * 4 // 3), len(padded) * 8 // 6)
        yield base64.b64encode(padded)[inner]
        yield base64.urlsafe_b64encode(padded)[inner]


def _readings(content: bytes, depth: int) -> Iterator[bytes]:
    """The content, what it holds in base64, what it holds compressed, and the same of those."""
    yield content
    if depth:
        for inner in (*_decoded(content), *_unpacked(content)):
            yield from _readings(inner, depth - 1)


def _decoded(content: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(content):
        text = match[0].replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):  # what comes before in the same alphabet shifts it
            whole = text[start : start + (len(text) - start) // 4 * 4]
            yield base64.b64decode(whole)


def _unpacked(content: bytes) -> Iterator[bytes]:
    for match in _ZLIB.finditer(content):
        reader = zlib.decompressobj(wbits=47)  # zlib or gzip, as its header says
        try:
            yield reader.decompress(memoryview(content)[match.start() :][:_UNPACKED], _UNPACKED)
        except zlib.error:
            continue  # two bytes that look like a header
    if content.startswith(b"PK"):
        try:
            archive = zipfile.ZipFile(io.BytesIO(content))
        except zipfile.BadZipFile:
            return  # two bytes that look like an archive: once in 65,536 pieces of base64
        with archive:
            yield from (archive.read(name) for name in archive.namelist())


def _content(path: Path, since: float) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_ctime >= since else b""
    except FileNotFoundError:
        return b""  # a database's or broker's file that has just been replaced
