"""What restic prints when it fails, turned into messages with a remedy."""

import json
import re

from strongroom_agent.core.errors import QUOTA_REMEDY, READ_ONLY_REMEDY, AgentError

_NETWORK = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "network is unreachable",
    "no route to host",
    "connection reset",
    "TLS handshake",
    "x509:",
    "tls:",
    "proxyconnect",
    "unexpected EOF",
)
# What restic says when an object is not there or is not what it was when it was stored.
_DAMAGE = (
    "invalid data returned",
    "ciphertext verification failed",
    "nonce is invalid",
    "is damaged",
    "not found in repository",
    "> does not exist",
    "repository contains errors",
    "Unmarshal",
    "invalid character",
    "zstd",
    "magic number mismatch",
    "hash does not match id",
    "wrong data returned",
    "was not found in the index",
    "unable to load",
    "Error loading snapshot",
    "missing in repo",
    "seems to be missing",
)
# Lines of a Go stack, which mean nothing to anybody here.
_STACK = re.compile(
    r"^(goroutine \d|panic:|runtime[./]|main\.|created by |github\.com/|golang\.org/|\t|[\w./-]+\.(go|s):\d+"
    r"|\S+\(0x|\[signal )"
)
# A blob is named like an object but is a part of one: the pack that it was read from follows.
_PACK = re.compile(r"blob <\w+/[0-9a-f]+> from ([0-9a-f]{8,64}) failed")
_OBJECT = re.compile(r"(?<!blob )<(data|index|snapshot|key|lock|config)/([0-9a-f]*)>")
_STORING = re.compile(r"\bSave\(<")
# Packs that a check has found damaged, at the end of what it says.
_BROKEN = re.compile(r"^restic repair packs ((?:[0-9a-f]{64} ?)+)$")
# What the system says about the place that something is restored to: no other copy of it would do better there.
_OF_THE_PLACE = (
    "permission denied",
    "operation not permitted",
    "read-only file system",
    "file name too long",
    "is a directory",
    "directory not empty",
    "text file busy",
    "device or resource busy",
    "file too large",
    "operation not supported",
)
_OVER_QUOTA, _READ_ONLY = "disk quota exceeded", "read-only file system"
_FULL = ("no space left on device", _OVER_QUOTA)
# The storage lets packs and snapshots go only when they are old enough: that is no refusal of the machine.
_REMOVAL = re.compile(r"^Remove\(<(?:data|snapshot)/")
_NOT_REMOVED = re.compile(r"^unable to remove (?:data|snapshot)/([0-9a-f]{64}) from the repository$")
_STATUS = re.compile(r"unexpected HTTP response \((\d{3})\)|server response unexpected: (\d{3})")


def explain(command: str, status: int, complaints: list[str]) -> AgentError:
    """The error for a restic that ended with `status`, after the lines that it left behind."""
    error = _explained(command, status, complaints)
    error.complaints = complaints
    return error


def _explained(command: str, status: int, complaints: list[str]) -> AgentError:
    complaints = [line for line in complaints if not _is_refused_removal(line)]
    text = "\n".join(complaints)
    if "wrong password or no key found" in text:
        return wrong_passphrase()
    if "already locked" in text:
        return _locked(text)
    if found := _STATUS.search(text):
        return storage_refusal(int(found[1] or found[2]))
    if "no matching ID found" in text or "no snapshot found" in text:
        return unknown_snapshot()
    if any(sign in text for sign in _NETWORK):
        return AgentError(
            "network",
            f"The connection to the storage broke: {_last_words(complaints)}.",
            "Check this machine's network and proxy, then try again; what was sent is kept.",
        )
    if _READ_ONLY in text:
        return AgentError(
            "file_unusable",
            f"A file or folder cannot be used: {_about(complaints, (_READ_ONLY,))}.",
            READ_ONLY_REMEDY,
        )
    if _OVER_QUOTA in text:
        about = _about(complaints, (_OVER_QUOTA,))
        return AgentError("disk_full", f"A disk of this machine takes no more from this user: {about}.", QUOTA_REMEDY)
    if any(sign in text for sign in _FULL):
        return AgentError(
            "disk_full",
            f"A disk of this machine is full: {_about(complaints, _FULL)}.",
            "Free some space, in the cache folder or where files are restored to, then try again.",
        )
    if any(sign in text for sign in _DAMAGE):
        return damaged(f"restic {command}: {_last_words(complaints)}.")
    return AgentError(
        "engine_failed",
        f"restic {command} failed with status {status}: {_last_words(complaints)}.",
        "Try again; if it repeats, run strongroom-agent check and tell an administrator of the portal what it says."
        if command not in ("check", "repair")
        else "Try again; if it repeats, tell an administrator of the portal what this says.",
    )


def is_full(said: str) -> bool:
    """Whether what restic said about one item means that a disk takes no more; the item's name may say anything."""
    return said.endswith(_FULL)


def is_of_the_place(said: str) -> bool:
    """Whether what restic said about one item is about the target, and not about what is stored."""
    return said.endswith((*_OF_THE_PLACE, *_FULL))


def is_of_the_object(line: str) -> bool:
    """Whether a complaint that names an object is about that itself, and not about the way to it: a broken connection,
    a refusal, a full disk, a restic that was told to stop."""
    signs = ("retrying after", "context canceled", *_NETWORK, *_FULL)
    return not any(sign in line for sign in signs) and _STATUS.search(line) is None


def damaged(problem: str, **details: object) -> AgentError:
    """Objects of the repository are missing or damaged; `problem` says which or how that was seen."""
    return AgentError(
        "repository_damaged",
        f"Stored backups are damaged. {problem}",
        "Run strongroom-agent repair: it brings back what the other region or this machine still has.",
        **details,
    )


def objects_in(complaints: list[str]) -> list[tuple[str, str]]:
    """The objects that restic complained about: kind (a folder of the repository) and the beginning of the name.

    Those that it could not store are none: they were on their way, and nothing refers to them.
    """
    complaints = [line for line in complaints if not _STORING.search(plain(line))]
    found = [(kind, name) for line in complaints for kind, name in _OBJECT.findall(plain(line))]
    found += [("data", name) for line in complaints for name in _PACK.findall(plain(line))]
    found += [("data", name) for line in complaints for names in _BROKEN.findall(plain(line)) for name in names.split()]
    folders = {"snapshot": "snapshots", "key": "keys", "lock": "locks"}
    return list(dict.fromkeys((folders.get(kind, kind), name) for kind, name in found))


def is_final(line: str) -> bool:
    """Whether a line of restic's tells of something that no retry will change: no entry, no room, or an object lost.

    Older versions would go on asking for a lost object for a quarter of an hour.
    """
    if "retrying after" in line and any(sign in line for sign in (*_FULL, "does not exist")):
        return True
    found = _STATUS.search(line)
    if found is None or _is_refused_removal(line):
        return False
    return (found[1] or found[2]) in ("403", "507")


def _is_refused_removal(line: str) -> bool:
    """Whether a line tells of a pack or snapshot that the storage does not let go (403)."""
    found = _STATUS.search(line)
    return found is not None and (found[1] or found[2]) == "403" and _REMOVAL.match(plain(line)) is not None


def refused_removal(line: str) -> str:
    """The name of the pack or snapshot that a line of restic's says could not be deleted; empty where it says no such
    thing. Of the two lines about each, the other one has only the beginning of the name."""
    found = _NOT_REMOVED.match(plain(line))
    return found[1] if found else ""


def wrong_passphrase() -> AgentError:
    """The repository exists, and its keys do not open with this machine's passphrase."""
    return AgentError(
        "passphrase_wrong",
        "The passphrase does not open this machine's backups: they were made with another one.",
        "Put the passphrase that was used first into the file in which this machine keeps it, in the place of the one "
        "there: strongroom-agent status names the file. Nobody can recover the data without it.",
    )


def unknown_snapshot() -> AgentError:
    """The user asked for a snapshot that is not there."""
    return AgentError(
        "snapshot_unknown",
        "There is no such snapshot.",
        "Run strongroom-agent snapshots to see which there are.",
    )


def storage_refusal(status: int) -> AgentError:
    """The error for an HTTP status with which the storage refuses."""
    if status == 403:
        return AgentError(
            "not_allowed",
            "The storage does not let this machine in: it is revoked, suspended or unregistered.",
            "Ask the people of the vault; its Registered machines tab in the portal says why. To register "
            "this machine anew, run strongroom-agent unregister --forget, then setup.",
        )
    if status == 507:
        return AgentError(
            "quota_full",
            "The vault has no room left for this machine.",
            "Ask the people of the vault for more; what is stored can still be restored.",
        )
    return AgentError(
        "unavailable",
        f"The storage gives no usable answer at the moment (HTTP {status}).",
        "Try again in a few minutes; if it goes on, tell an administrator of the portal.",
    )


def _locked(text: str) -> AgentError:
    who = re.search(r"locked (?:exclusively )?by (PID \d+ on \S+)", text)
    return AgentError(
        "repository_locked",
        f"The backups are in use by another run ({who[1] if who else 'unknown'}).",
        "Wait until it has finished; a lock left by a run that died is ignored after half an hour.",
    )


def _about(complaints: list[str], signs: tuple[str, ...]) -> str:
    """The last line that says so, without what restic says of its own retries."""
    found = [plain(line) for line in complaints if any(sign in line for sign in signs)][-1]
    return re.sub(r"^.*retrying after [^:]*: ", "", found).strip().rstrip(".")[:400]


def _last_words(complaints: list[str]) -> str:
    """The line that says most: the one with Fatal, else the last that is no line of a stack."""
    lines = [line for line in map(plain, complaints) if line and not _STACK.match(line)]
    fatal = [line for line in lines if line.startswith("Fatal:")]
    panics = [line.strip()[len("panic:") :].strip() for line in complaints if line.startswith("panic:")]
    chosen = (fatal or panics or lines or ["it said nothing"])[-1]
    first = chosen.removeprefix("Fatal:").strip().splitlines() or ["it said nothing"]
    return first[0].rstrip(".")[:400]


def plain(line: str) -> str:
    """A line of restic's as text: newer versions say it in JSON."""
    if not line.startswith("{"):
        return line
    try:
        value = json.loads(line)
    except ValueError:
        return line
    if not isinstance(value, dict):
        return line
    error = value.get("error")
    inner = error.get("message") if isinstance(error, dict) else None
    return str(value.get("message") or inner or line)
