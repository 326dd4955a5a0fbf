"""Asking the storage by HTTP what restic would only say after many retries."""

import hashlib
from typing import Any
from urllib.parse import urlsplit

import httpx

from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic.errors import storage_refusal
from strongroom_agent.state.identity import Repository

from . import answers
from .client import describe, pauses, trust_only, unreachable

_TIMEOUT = httpx.Timeout(20, connect=10)
_NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_BEHIND_THE_EDGE = frozenset({502, 503, 504})
_LIST_V2 = {"Accept": "application/vnd.x.restic.rest.v2"}


class Storage:
    """The REST interface of restic's repositories, with this machine's client certificate."""

    def __init__(
        self,
        client_pem: str,
        ca_certificates: str,
        proxy: str | None,
        attempts: int | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> None:
        self.client_pem, self._attempts, self._timeout = client_pem, attempts, timeout
        self._tls = trust_only(ca_certificates)
        self._tls.load_cert_chain(client_pem)
        self._proxy = proxy

    def exists(self, repository: Repository) -> bool:
        """Whether there is a repository. AgentError when the storage refuses or does not answer."""
        answer = self._ask("HEAD", repository.url + "config")
        return answer.status_code != 404

    def names(self, repository: Repository, kind: str) -> list[str]:
        """The names of a repository's objects of a kind: `keys`, `locks`, `snapshots`, `index` or `data`."""
        return list(self.sizes(repository, kind))

    def sizes(self, repository: Repository, kind: str) -> dict[str, int]:
        """The same with their sizes in bytes."""
        answer = self._ask("GET", f"{repository.url}{kind}/")
        if answer.status_code == 404:
            return {}
        try:
            listed: Any = answers.parsed(answer.content) or []
            return {str(each["name"]): int(each["size"]) for each in listed}
        except (ValueError, TypeError, KeyError) as error:
            raise storage_refusal(answer.status_code) from error

    def is_sound(self, repository: Repository, kind: str, name: str) -> bool:
        """Whether an object is there and is what its name says, as read from the storage now."""
        digest = hashlib.sha256()
        with (
            httpx.Client(verify=self._tls, proxy=self._proxy, timeout=self._timeout, trust_env=False) as client,
            client.stream("GET", f"{repository.url}{kind}/{name}", headers=answers.PLAIN) as answer,
        ):
            if answer.status_code == 404:
                return False
            if answer.status_code != 200:
                raise storage_refusal(answer.status_code)
            for part in answer.iter_raw():
                digest.update(part)
        return digest.hexdigest() == name

    def read(self, repository: Repository, path: str) -> bytes:
        """One small object, such as an index. AgentError when it is not there, or the storage does not give it."""
        answer = self._ask("GET", repository.url + path)
        if answer.status_code == 404:
            raise storage_refusal(404)
        return answer.content

    def store(self, repository: Repository, path: str, content: bytes) -> None:
        """Store one object that is not there yet. AgentError when the storage refuses or does not answer."""
        self._ask("POST", repository.url + path, content)

    def _ask(self, method: str, url: str, content: bytes | None = None) -> httpx.Response:
        failure = AgentError("network", "The storage was not asked.")
        for _ in pauses(self._attempts):
            try:
                response = self._once(method, url, content)
            except _NOT_CONNECTED as error:
                failure = unreachable(url, describe(error), self._proxy)
                continue
            except httpx.TransportError as error:
                failure = _silent(url, describe(error))
                continue
            if response.status_code in (200, 404):
                return response
            failure = storage_refusal(response.status_code)
            if response.status_code in _BEHIND_THE_EDGE:
                failure = _silent(url, f"HTTP {response.status_code}")
            if response.status_code < 500 or response.status_code == 507:
                break
        raise failure

    def _once(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        with httpx.Client(verify=self._tls, proxy=self._proxy, timeout=self._timeout, trust_env=False) as client:
            with client.stream(method, url, headers=_LIST_V2 | answers.PLAIN, content=content) as response:
                body = answers.read(response, most=answers.LARGEST_LIST, seconds=None)
            return httpx.Response(response.status_code, content=body)


def _silent(url: str, trouble: str) -> AgentError:
    """The edge was reached, and the storage behind it is what does not answer."""
    region = urlsplit(url).path.split("/")[1]
    return AgentError(
        "unavailable",
        f"The storage of region {region} gives no usable answer ({trouble}); Strongroom itself was reached.",
        "Try again in a few minutes; if it stays so, tell an administrator of the portal.",
    )


def missing(repository: Repository) -> AgentError:
    """The error for a region without this machine's backups."""
    return AgentError(
        "repository_missing",
        f"There are no backups of this machine in region {repository.region}.",
        "Tell an administrator of the portal. If setup was interrupted, run it again; if the region is being "
        "repaired, restore reads from the paired region meanwhile.",
    )
