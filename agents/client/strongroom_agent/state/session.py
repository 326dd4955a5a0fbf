"""What every run of a registered machine needs, opened once: identity, settings, engine, portal."""

import json
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from strongroom_agent import __version__
from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError, Refused
from strongroom_agent.core.output import progress
from strongroom_agent.portal import renewal, reports
from strongroom_agent.portal.client import Portal, Response
from strongroom_agent.portal.progress import Nobody
from strongroom_agent.portal.storage import Storage, missing
from strongroom_agent.restic import cache, engine
from strongroom_agent.restic.process import Connection, Restic
from strongroom_agent.schedule import plan
from strongroom_agent.update import memory

from . import departure, identity, passphrase, settings
from .home import Home
from .identity import Identity, Repository
from .settings import Settings


@dataclass
class Session:
    """A registered machine at work. Its identity changes when the certificate is renewed."""

    home: Home
    identity: Identity
    settings: Settings
    damaged: set[str] = field(default_factory=set)  # objects that this run has found damaged in a region, as kind/name
    teller: Nobody = field(default_factory=Nobody)  # whoever is told meanwhile how far this run is
    limited: bool = True  # whether the bandwidth that restic may take is limited, where a limit is set
    _shut_out: str = ""  # the certificate with which the portal has refused this machine, reports and all
    _reports_matter: bool = True  # whether a person is to hear that reports wait: once, and not where they do for ever

    @cached_property
    def proxy(self) -> str | None:
        """The proxy with its sign-in, or None."""
        return settings.proxy_url(self.home, self.settings)

    @cached_property
    def engine(self) -> engine.Engine:
        """The restic to use; AgentError where there is none."""
        return engine.find()

    @property
    def portal(self) -> Portal:
        """The portal that this machine is registered with."""
        return Portal(self.identity.edge_url, self.identity.ca_certificates, self.proxy)

    @property
    def storage(self) -> Storage:
        """Direct access to the repositories."""
        client_pem, _ = identity.write_for_restic(self.home, self.identity)
        return Storage(client_pem, self.identity.ca_certificates, self.proxy)

    @property
    def primary(self) -> Repository:
        """The repository that backups go to. AgentError if there is none to write to."""
        first = self.identity.repositories[0]
        if first.read_only:
            raise AgentError("not_allowed", "The portal gives this machine no place to back up to.")
        return first

    @cached_property
    def _sound_cache(self) -> str:
        """restic's cache, freed of damaged copies once in a run."""
        cache.make_sound(self.settings.restic_cache)
        return str(self.settings.restic_cache)

    def restic(self, repository: Repository) -> Restic:
        """restic bound to one of this machine's repositories."""
        if passphrase.stored(self.home) is None:
            raise passphrase.missing(self.home)
        client_pem, ca_pem = identity.write_for_restic(self.home, self.identity)
        return Restic(
            Connection(
                program=os.path.abspath(self.engine.program),
                url=repository.url,
                client_pem=client_pem,
                ca_pem=ca_pem,
                passphrase_file=str(self.home.path(passphrase.FILE)),
                cache_dir=self._sound_cache,
                temp_dir=surroundings.temporary_folder(Path(self.settings.cache_dir)),
                read_only=repository.read_only,
                proxy=self.proxy,
                key_hint=self.settings.key_hint,
                limits=tuple(self.settings.options.limits) if self.limited else (),
            )
        )

    def remember(self, **changes: object) -> None:
        """Change settings, on disk and in this run."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        settings.save(self.home, self.settings)

    def prepare(self) -> None:
        """Before a run: renew the certificate when it is time, and send the reports kept so far."""
        self.identity = renewal.renew_if_due(self.home, self.identity, self.portal)
        self.deliver_reports()

    def deliver_reports(self) -> None:
        """Send the reports that wait to the portal, unless it lets this machine in no more: why is told once, as the
        reason for which the command fails."""
        if self._shut_out == self.identity.certificate:
            return
        waiting = reports.deliver(self.home, self._send, self.sign_of_life)
        if waiting and self._reports_matter:
            progress(f"note: reports are kept for the next run. {waiting}")
            self._reports_matter = False

    def say_nothing_of_reports(self) -> None:
        """The machine forgets its vault, and its reports with it: nobody is told that they wait."""
        self._reports_matter = False

    def _send(self, report: dict[str, object]) -> None:
        try:
            self.portal.post("runs", self.identity.signer, {**report, "schedule": self.schedule})
        except Refused as refused:
            if refused.code != "not_allowed" or self._is_let_in():
                raise
            self._shut_out = self.identity.certificate
            self._reports_matter = self._reports_matter and not departure.for_good(refused)
            raise AgentError(refused.code, "The portal does not let this machine in.") from refused

    def _is_let_in(self) -> bool:
        try:
            self.sign_of_life()
        except AgentError:
            return False
        return True

    @property
    def schedule(self) -> dict[str, object] | None:
        """How often the portal may expect a backup; None where nothing makes them by itself."""
        known = plan.load(self.home)
        return known.told if known else None

    def sign_of_life(self) -> Response:
        """What the portal says to this machine at this moment. AgentError when it refuses or cannot be reached."""
        return self.portal.post("heartbeat", self.identity.signer, self.life)

    @property
    def life(self) -> dict[str, object]:
        """What a sign of life tells: versions, the schedule, and how it stands with updates."""
        return {
            "agent_version": __version__,
            "engine_version": self.engine.version,
            "schedule": self.schedule,
            "update": memory.told(self.home),
        }

    def with_reason(self, error: AgentError) -> AgentError:
        """The portal's own words where the storage only says no; else the error as it is."""
        if error.code != "not_allowed" or isinstance(error, Refused):
            return error
        try:
            self.sign_of_life()
        except Refused as refused:
            return refused if refused.code == "not_allowed" else error
        except AgentError:
            pass
        return error

    def open_primary(self) -> Restic:
        """restic on the writable repository, found present and freed of locks that died with a run."""
        if not self.storage.exists(self.primary):
            raise self._without_config()
        return self.unlocked(self.primary)

    def _without_config(self) -> AgentError:
        """The repository cannot be opened: it was never there, or has lost the object that opens it."""
        if not self.storage.names(self.primary, "data"):
            return missing(self.primary)
        return AgentError(
            "repository_damaged",
            f"Stored backups are damaged. In region {self.primary.region}: config is missing, and nothing can be read "
            "without it.",
            "The portal brings it back from the paired region within minutes; then run this again. If it does not, or "
            "the vault has one region only, the backups are lost: register this machine anew with setup, and keep "
            "what is stored until an administrator has looked for another copy of config.",
        )

    def unlocked(self, repository: Repository) -> Restic:
        """restic on a repository, without locks: this machine is its only writer and runs one agent at a time (`Home`
        sees to that), so that each lock is of a run that died, whatever host name or process it names.

        Looking for locks first costs a request; starting restic for nothing costs most of a second.
        """
        restic = self.restic(repository)
        if not repository.read_only and self.storage.names(repository, "locks"):
            restic.run("unlock", "--remove-all")
        return restic


def open_session(home: Home) -> Session:
    """The session of a registered machine. AgentError `not_registered` before setup, `home_unusable` where others could
    have written what it says."""
    home.require_own()
    found, chosen = identity.load(home), settings.load(home)
    if found is None or chosen is None:
        raise departure.known(home) or AgentError(
            "not_registered",
            f"This machine is not registered with a vault: there is nothing about it in {home.folder}.",
            "Run strongroom-agent setup with the vault credentials file; if that was done, run this as the same user, "
            "or with the STRONGROOM_AGENT_HOME that was set then.",
        )
    return Session(home, found, chosen)


def describe(value: Identity) -> dict[str, object]:
    """The identity as JSON answers show it, without keys."""
    return {
        "machine": json.loads(json.dumps(value.answer["machine"])),
        "vault": dict(value.vault),
        "certificate_expires_at": value.expires_at.isoformat(),
    }
