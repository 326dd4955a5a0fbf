"""What support needs to help with a machine, in one zip file without secrets.

Nothing is copied as it lies there: each file holds chosen facts alone. Before it is written all of it is compared with
every secret on the machine, so that a mistake of ours ends in a refusal and not in somebody's mailbox.
"""

import base64
import io
import json
import os
import platform
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom_agent import __version__
from strongroom_agent.core import mounts, times
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.portal import reports
from strongroom_agent.restic import engine
from strongroom_agent.schedule import history, installation
from strongroom_agent.state import identity, passphrase, settings
from strongroom_agent.state.home import Home

_SHORTEST = 6  # what is shorter than that is in every text
_MODES = 0o777


def write(home: Home, target: Path, steps: object) -> str:
    """Write the file, for this user alone; its whole name. AgentError `bundle_failed` when that is impossible, or a
    secret would be in it."""
    parts = {"doctor.json": _said(lambda: steps)}
    parts |= {name: _said(lambda facts=facts: facts(home)) for name, facts in _FACTS.items()}  # type: ignore[misc]
    for secret in _forms(_secrets(home)):
        for name, content in parts.items():
            if secret in content:
                raise AgentError(
                    "bundle_failed",
                    f"A secret of this machine would be in {name}; nothing was written.",
                    "Send what strongroom-agent doctor says instead, and tell the makers of the agent of this.",
                )
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_zipped(parts))
    except OSError as error:
        trouble = "there is a file of that name" if isinstance(error, FileExistsError) else why(error)
        raise AgentError(
            "bundle_failed", f"{target} cannot be written: {trouble}.", "Name another file with --bundle."
        ) from error
    return str(target.absolute())


def _zipped(parts: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return whole.getvalue()


def _said(facts: Callable[[], object]) -> bytes:
    """As JSON; what cannot be had says why, since a machine in trouble is what this is for."""
    try:
        found = facts()
    except (AgentError, OSError, ValueError) as error:
        found = {"not_known": str(error)}
    return json.dumps(found, indent=1, default=str).encode("utf-8", "backslashreplace")


def _versions(_: Home) -> object:
    found = engine.find()
    return {
        "agent": __version__,
        "python": sys.version,
        "restic": found.version,
        "restic_program": found.program,
        "platform": platform.platform(),
        "time": times.render(times.now()),
        "encoding": sys.getfilesystemencoding(),
    }


def _settings(home: Home) -> object:
    """Without the commands, in which people write passwords, and without who signs in to the proxy."""
    chosen = settings.load(home)
    if chosen is None:
        return {"not_known": "there are none"}
    return {
        "install_dir": chosen.install_dir,
        "cache_dir": chosen.cache_dir,
        "protect": chosen.protect,
        "proxy": settings.without_sign_in(chosen.proxy),
        "proxy_signs_in": bool(chosen.proxy_user),
        "include_network": chosen.include_network,
        "opened": chosen.opened,
        "options": chosen.options.shown,
    }


def _machine(home: Home) -> object:
    current = identity.load(home)
    if current is None:
        return {"not_known": "it is not registered"}
    return {
        "id": current.machine_id,
        "name": current.name,
        "vault": current.vault,
        "edge_url": current.edge_url,
        "certificate_expires_at": times.render(current.expires_at),
        "renew_after": times.render(current.renew_after),
        "repositories": [vars(each) for each in current.repositories],
    }


def _runs(home: Home) -> object:
    return {
        "last": reports.last(home),
        "scheduled": history.last(home),
        "reports_waiting": reports.waiting(home),
        "reports_refused": reports.refused(home),
    }


def _files(home: Home) -> object:
    """Names, sizes and modes of what is in the state folder."""
    found = {}
    for path in sorted(home.folder.rglob("*")):
        status = path.lstat()
        found[str(path.relative_to(home.folder))] = [status.st_size, f"{status.st_mode & _MODES:03o}", status.st_mtime]
    return found


_FACTS: dict[str, Callable[[Home], object]] = {
    "versions.json": _versions,
    "settings.json": _settings,
    "machine.json": _machine,
    "runs.json": _runs,
    "schedule.json": installation.describe,
    "state-folder.json": _files,
    "mounts.json": lambda _: mounts.table(),
}


def _secrets(home: Home) -> Iterator[str]:
    """Every secret that this machine keeps."""
    for name in (passphrase.FILE, settings.PROXY_PASSWORD):
        yield _text(home.path(name)).strip()
    for path in home.folder.glob("*"):
        text = _text(path)
        for block in text.replace("\\n", "\n").split("-----BEGIN ")[1:]:
            if "PRIVATE KEY" in block.split("\n", 1)[0]:
                yield from block.split("-----END ")[0].split("\n")[1:]
    try:
        chosen = settings.load(home)
    except AgentError:
        return
    if chosen:
        yield from (chosen.options.before, chosen.options.after)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def _forms(secrets: Iterator[str]) -> Iterator[bytes]:
    """Each as it is, as JSON writes it, and in base64 and hexadecimal."""
    for secret in {each.strip() for each in secrets if len(each.strip()) >= _SHORTEST}:
        raw = secret.encode("utf-8", "surrogateescape")
        yield raw
        yield json.dumps(secret)[1:-1].encode()
        yield base64.b64encode(raw).rstrip(b"=")
        yield raw.hex().encode()
