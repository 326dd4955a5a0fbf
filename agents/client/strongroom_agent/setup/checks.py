"""What setup checks of its answers, each by itself and before anything is changed: with all answers at hand, or one by
one while a person is asked."""

import re
import socket
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from strongroom_agent.core import times
from strongroom_agent.core.errors import usage
from strongroom_agent.core.paths import absolute
from strongroom_agent.portal import clock, credential, enrolment_code, registration
from strongroom_agent.portal.credential import Credential
from strongroom_agent.portal.credential_errors import other_machine
from strongroom_agent.state import settings
from strongroom_agent.state.home import Home

from . import cache_folder, passphrase
from . import protect as setup_protect

_NAME = re.compile(r"[A-Za-z0-9.-]{1,63}")
SECRET = {"secret": True}
"""Marks an answer that is never kept for a later start."""


@dataclass(frozen=True)
class SetupOptions:
    """The answers that setup needs, wherever they come from."""

    credentials: str = ""
    install_dir: str = ""
    cache_dir: str = ""
    protect: list[str] = field(default_factory=list)
    passphrase_file: str | None = None
    save_passphrase_to: str | None = None
    passphrase: str | None = field(default=None, repr=False, metadata=SECRET)
    name: str | None = None
    include_network: bool = False
    proxy: str = ""
    proxy_user: str = ""
    proxy_password: str | None = field(default=None, repr=False, metadata=SECRET)
    code: str = field(default="", repr=False, metadata=SECRET)  # with it `credentials` is where its own will lie
    edge: str = ""
    ca_sha256: str = ""
    vault: str = ""
    once: bool = False
    schedule: bool = True
    link: bool = True
    changes: dict[str, object] = field(default_factory=dict)  # of the options of backups

    @property
    def offered(self) -> enrolment_code.Offered | None:
        """The one-time code with all that goes with it; None without one. AgentError `usage` where something lacks."""
        return enrolment_code.offered(self.code, self.edge, self.ca_sha256, self.vault) if self.code else None

    @property
    def proxy_url(self) -> str | None:
        """The proxy with its sign-in, never to be printed; None without one."""
        return settings.with_sign_in(self.proxy, self.proxy_user, self.proxy_password) if self.proxy else None


def machine_name(name: str) -> str:
    """The name, if a machine can have it. AgentError `usage` otherwise."""
    if not _NAME.fullmatch(name):
        raise usage(
            f"{name!r} cannot be the name of a machine.",
            "Give --name with 1-63 letters, digits, hyphens or dots.",
        )
    return name


def name_for(given: Credential, wanted: str | None) -> str:
    """The name to register under: that of the machine to be replaced, else what was asked for, else the host's."""
    if not given.replaces:
        return wanted or machine_name(socket.gethostname())
    replaced = given.machine["name"]
    if wanted is not None and wanted.casefold() != replaced.casefold():
        raise other_machine(wanted, replaced)
    return replaced


def credential_file(home: Home, options: SetupOptions) -> Credential:
    """The credential, when the file is in order. The portal is asked for the time where it seems too old."""
    return credential.load(
        Path(options.credentials),
        times.now(),
        partial(registration.begun_with, home),
        partial(_time_of_portal, options),
    )


def _time_of_portal(options: SetupOptions, given: Credential) -> datetime | None:
    return clock.of_portal(given.edge_url, given.ca_certificates, options.proxy_url)


def extent(home: Home, options: SetupOptions) -> cache_folder.Extent:
    """How much there is to protect. AgentError where something is not there or may not be read, or there is no file."""
    own = [*_own(home, options), *([absolute(options.credentials)] if options.credentials else [])]
    chosen = setup_protect.choose(options.protect)
    return setup_protect.extent(chosen, own, network=options.include_network)


def secrets_kept_out(home: Home, options: SetupOptions) -> None:
    """AgentError `passphrase_protected` where the passphrase's file would be locked into the backups that it opens."""
    secrets = {"--passphrase-file": options.passphrase_file, "--save-passphrase-to": options.save_passphrase_to}
    chosen = setup_protect.choose(options.protect)
    setup_protect.keep_out(chosen, _own(home, options), secrets, network=options.include_network)


def _own(home: Home, options: SetupOptions) -> list[str]:
    """Our own folders, which are not backed up."""
    return [*([absolute(options.cache_dir)] if options.cache_dir else []), str(home.folder.resolve())]


def passphrase_target(home: Home, options: SetupOptions) -> None:
    """AgentError unless a new passphrase can be saved to its file, which must not be locked into the backups."""
    secrets_kept_out(home, options)
    passphrase.check_target(home, options.save_passphrase_to or "")
