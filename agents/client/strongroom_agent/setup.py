"""The command `setup --unattended`: from a credential file to a machine that is backed up and restored.

It can be repeated after any interruption: what is done is found done, the rest is done.
"""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from . import (
    backup,
    cache,
    credential,
    engine,
    install,
    moments,
    registration,
    repository,
    restorecheck,
    runs,
    settings,
    setup_passphrase,
)
from .errors import AgentError, usage
from .home import Home
from .identity import Identity
from .output import Done, progress
from .paths import absolute
from .session import Session, describe
from .settings import Settings

_NAME = re.compile(r"[A-Za-z0-9.-]{1,63}")


@dataclass(frozen=True)
class Wish:
    """The answers that setup needs, as the command line gives them."""

    credentials: str
    install_dir: str
    cache_dir: str
    protect: list[str]
    passphrase_file: str | None = None
    save_passphrase_to: str | None = None
    name: str | None = None
    proxy: str = ""
    proxy_user: str = ""
    proxy_password: str | None = field(default=None, repr=False)


def run(home: Home, wish: Wish) -> Done:
    """Check everything that can be checked here, register, back up, restore, compare, report."""
    name = machine_name(wish.name)
    chosen = _check_installation(home, wish)
    engine.find()
    given = credential.load(Path(wish.credentials), moments.now())
    existing = registration.current(home, given, name)
    before = settings.load(home) if existing else None
    setup_passphrase.settle(home, wish.passphrase_file, wish.save_passphrase_to, before)
    _save(home, chosen, before, wish)
    program = install.install(Path(chosen.install_dir))
    identity = existing or _register(home, given, name, chosen)
    return _prove(Session(home, identity, settings.load(home) or chosen), program)


def machine_name(wanted: str | None) -> str:
    """The name to register under: what was asked for, else the host's. AgentError `usage` if not valid."""
    name = socket.gethostname() if wanted is None else wanted
    if not _NAME.fullmatch(name):
        raise usage(
            f"{name!r} cannot be the name of a machine.",
            "Give --name with 1-63 letters, digits, hyphens or dots.",
        )
    return name


def _check_installation(home: Home, wish: Wish) -> Settings:
    """Everything about folders and proxy, before anything is written but the folders themselves."""
    home.ensure()
    if wish.proxy:
        settings.check_proxy(wish.proxy)
    protect = [absolute(path) for path in wish.protect]
    for given, path in zip(wish.protect, protect, strict=True):
        if not Path(path).exists():
            raise AgentError(
                "protect_missing",
                f"There is nothing at {given} to protect.",
                "Give --protect an existing file or folder.",
            )
    cache_dir = absolute(wish.cache_dir)
    extent = cache.measure(protect, frozenset({cache_dir, str(home.folder.resolve())}))
    if not extent.files:
        raise AgentError(
            "nothing_to_protect",
            "There is not a single file in what is to be protected.",
            "Give --protect a file, or a folder with files in it.",
        )
    cache.check(Path(cache_dir), extent)
    return Settings(absolute(wish.install_dir), cache_dir, sorted(set(protect)), wish.proxy, wish.proxy_user)


def _save(home: Home, chosen: Settings, before: Settings | None, wish: Wish) -> None:
    """Store the settings; what is known about the repository of an existing machine stays known."""
    settings.keep_proxy_password(home, wish.proxy_password)
    if before is not None:
        chosen = Settings(**{**vars(chosen), "key_hint": before.key_hint, "opened": before.opened})
    settings.save(home, chosen)


def _register(home: Home, given: credential.Credential, name: str, chosen: Settings) -> Identity:
    progress(f"registering {name} with vault {given.vault['name']}")
    return registration.register(home, given, name, settings.proxy_url(home, chosen))


def _prove(session: Session, program: Path) -> Done:
    """First backup and restore check: only then setup is done."""
    session.prepare()
    repository.ensure(session)
    saved = backup.back_up(session)
    checked = restorecheck.restore_check(session, saved.snapshot)
    reported = runs.waiting(session.home) == 0
    vault = session.identity.vault["name"]
    told = "" if reported else "The portal could not be told yet; the next run will do it."
    text = f"{session.identity.name} is registered with vault {vault}, backed up and restored:"
    return Done(
        " ".join(filter(None, [text, checked.remark, saved.remark, told])),
        details={
            **describe(session.identity),
            "program": str(program),
            "backup": backup.describe(saved),
            "restore_check": checked.figures,
            "reported": reported,
        },
    )
