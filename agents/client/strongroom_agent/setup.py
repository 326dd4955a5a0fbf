"""The command `setup --unattended`: from a credential file to a machine that is backed up and restored.

It can be repeated after any interruption: what is done is found done, the rest is done.
"""

import re
import socket
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from . import (
    backup,
    cache,
    credential,
    engine,
    identity,
    install,
    moments,
    registration,
    repository,
    restorecheck,
    runs,
    settings,
    setup_passphrase,
    snapshots,
)
from .credential_refusals import other_machine
from .errors import AgentError, usage
from .home import Home
from .identity import Identity
from .output import Done, progress
from .paths import absolute
from .session import Session, describe
from .settings import Settings
from .snapshots import Snapshot

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
    wanted = None if wish.name is None else machine_name(wish.name)
    chosen = _check_installation(home, wish)
    engine.find()
    given = credential.load(Path(wish.credentials), moments.now(), partial(registration.begun_with, home))
    name = _name_for(given, wanted)
    existing = registration.current(home, given, name)
    before = settings.before_setup(home) if identity.load(home) else None
    if given.replaces and before is None:
        setup_passphrase.require_given(wish.passphrase_file, given.machine["name"])
    setup_passphrase.settle(home, wish.passphrase_file, wish.save_passphrase_to, before)
    _save(home, chosen, before, wish)
    program = install.install(Path(chosen.install_dir))
    registered = existing or _register(home, given, name, chosen)
    session = Session(home, registered, settings.load(home) or chosen)
    session.prepare()
    repository.ensure(session)
    earlier = snapshots.all_of(session.restic(session.primary)) if given.replaces else []
    return _prove(session, program, earlier)


def _name_for(given: credential.Credential, wanted: str | None) -> str:
    """The name to register under: that of the machine to be replaced, else what was asked for, else the host's."""
    if not given.replaces:
        return wanted or machine_name(socket.gethostname())
    replaced = given.machine["name"]
    if wanted is not None and wanted.casefold() != replaced.casefold():
        raise other_machine(wanted, replaced)
    return replaced


def machine_name(name: str) -> str:
    """The name, if a machine can have it. AgentError `usage` otherwise."""
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


def _prove(session: Session, program: Path, earlier: list[Snapshot]) -> Done:
    """First backup and restore check: only then setup is done. `earlier` are the snapshots of a machine that this
    computer has replaced."""
    saved = backup.back_up(session)
    checked = restorecheck.restore_check(session, saved.snapshot)
    reported = runs.waiting(session.home) == 0
    vault = session.identity.vault["name"]
    told = "" if reported else "The portal could not be told yet; the next run will do it."
    text = f"{session.identity.name} is registered with vault {vault}, backed up and restored:"
    where = f"The program is {program}."
    return Done(
        " ".join(filter(None, [text, checked.remark, saved.remark, told, where, _about(earlier)])),
        details={
            **describe(session.identity),
            "program": str(program),
            "backup": saved.details,
            "restore_check": checked.figures,
            "reported": reported,
            **({"earlier_snapshots": [asdict(each) for each in earlier]} if earlier else {}),
        },
    )


def _about(earlier: list[Snapshot]) -> str:
    """How to get at what was there before; `latest` is the backup that setup has made just now."""
    if not earlier:
        return ""
    newest = earlier[-1]
    return (
        f"There are {len(earlier)} snapshots from before; the newest is of {newest.time[:19]}: "
        f"strongroom-agent restore --snapshot {newest.id[:8]} --target DIR."
    )
