"""Answers of the portal and its storage, read within bounds: whoever answers cannot fill our memory, or hold us up."""

import json
import time

import httpx

LARGEST = 256 * 1024  # bytes of a message; the longest, with the roots of a rotation, has some 20 KiB
LARGEST_LIST = 512 * 1024 * 1024  # bytes of a list of objects; five million have 450 MB
LONGEST = 60.0  # seconds for the body of a message
PLAIN = {"Accept-Encoding": "identity"}
"""What to ask with: compressed, a small answer may be a large one."""


def read(response: httpx.Response, *, most: int = LARGEST, seconds: float | None = LONGEST) -> bytes:
    """The body of a streamed response. httpx.ReadError when it is longer than `most`, or takes longer than that."""
    deadline = None if seconds is None else time.monotonic() + seconds
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > most:
            raise httpx.ReadError(f"its answer is longer than {most} bytes")
        if deadline is not None and time.monotonic() > deadline:
            raise httpx.ReadTimeout("its answer does not end")
        parts.append(part)
    return b"".join(parts)


def parsed(body: bytes) -> object:
    """The JSON in it. ValueError when there is none, also where it is nested deeper than anything that we ask for."""
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
