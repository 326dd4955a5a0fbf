"""Asking the storage by HTTP what restic would only say after many retries."""

from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from .errors import AgentError
from .identity import Repository
from .portal import describe, pauses, trust_only, unreachable
from .restic_errors import storage_refusal

_TIMEOUT = httpx.Timeout(20, connect=10)
_LIST_V2 = {"Accept": "application/vnd.x.restic.rest.v2"}


class Storage:
    """The REST interface of restic's repositories, with this machine's client certificate."""

    def __init__(self, client_pem: str, ca_certificates: str, proxy: str | None) -> None:
        self._tls = trust_only(ca_certificates)
        self._tls.load_cert_chain(client_pem)
        self._proxy = proxy

    def exists(self, repository: Repository) -> bool:
        """Whether there is a repository. AgentError when the storage refuses or does not answer."""
        answer = self._ask("HEAD", repository.url + "config")
        return answer.status_code != 404

    def names(self, repository: Repository, kind: str) -> list[str]:
        """The names of a repository's objects of a kind: `keys`, `locks` or `snapshots`."""
        answer = self._ask("GET", f"{repository.url}{kind}/")
        if answer.status_code == 404:
            return []
        try:
            return [str(each["name"]) for each in answer.json() or []]
        except (ValueError, TypeError, KeyError) as error:
            raise storage_refusal(answer.status_code) from error

    def store(self, repository: Repository, path: str, content: bytes) -> None:
        """Store one object that is not there yet. AgentError when the storage refuses or does not answer."""
        self._ask("POST", repository.url + path, content)

    def _ask(self, method: str, url: str, content: bytes | None = None) -> httpx.Response:
        failure = AgentError("network", "The storage was not asked.")
        for _ in pauses():
            try:
                response = self._once(method, url, content)
            except httpx.TransportError as error:
                failure = unreachable(url, describe(error), self._proxy)
                continue
            if response.status_code in (200, 404):
                return response
            failure = storage_refusal(response.status_code)
            if response.status_code < 500 or response.status_code == 507:
                break
        raise failure

    def _once(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        with httpx.Client(verify=self._tls, proxy=self._proxy, timeout=_TIMEOUT, trust_env=False) as client:
            return client.request(method, url, headers=_LIST_V2, content=content)


@dataclass(frozen=True)
class Choice:
    """The repository to read from, and why it is not the first one, if so."""

    repository: Repository
    note: str = ""


def choose(storage: Storage, repositories: list[Repository], region: str | None) -> Choice:
    """The repository to restore from: the named region's, else the first that has the backups.

    A refusal (403) is final; only storage that is gone or silent makes it look in the paired region.
    """
    if region is not None:
        return Choice(_named(repositories, region))
    first_failure: AgentError | None = None
    for repository in repositories:
        try:
            if storage.exists(repository):
                return Choice(repository, _note(first_failure, repository))
            failure = missing(repository)
        except AgentError as error:
            if error.code == "not_allowed":
                raise
            failure = error
        first_failure = first_failure or failure
    raise first_failure or AgentError("answer_not_understood", "There is no repository at all.")


def missing(repository: Repository) -> AgentError:
    """The error for a region without this machine's backups."""
    return AgentError(
        "repository_missing",
        f"There are no backups of this machine in region {repository.region}.",
        "Tell the people of the vault. If setup was interrupted, run it again; if the region is being "
        "repaired, restore reads from the paired region meanwhile.",
    )


def _named(repositories: Iterable[Repository], region: str) -> Repository:
    known = list(repositories)
    for repository in known:
        if repository.region.casefold() == region.casefold():
            return repository
    names = ", ".join(each.region for each in known)
    raise AgentError("usage", f"There is no copy in region {region}.", f"There is one in: {names}.")


def _note(failure: AgentError | None, repository: Repository) -> str:
    if failure is None:
        return ""
    return f"{failure.problem} Reading from the copy in region {repository.region} instead."
