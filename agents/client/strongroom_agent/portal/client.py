"""Requests to the portal, nearly all of them signed, over TLS that trusts only the roots that it was given."""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError, Refused

from . import answers, clock
from .jws import Signer

ATTEMPTS = 4
FIRST_PAUSE = 0.5  # seconds; doubles with each attempt
_TIMEOUT = httpx.Timeout(30, connect=10)
_OF_ANOTHER_TIME = re.compile(r"certificate (has expired|is not yet valid)")
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
# The portal, or an edge that does not reach it, asks to be asked again.
_ASK_AGAIN = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Response:
    """What the portal said yes to: 200, or 201 where something was made."""

    status: int
    body: dict[str, object]


class Portal:
    """The portal as machines see it, at `edge_url`."""

    def __init__(self, edge_url: str, ca_certificates: str, proxy: str | None = None) -> None:
        self.edge_url = edge_url
        self._ca_certificates = ca_certificates
        self._trust = trust_only(ca_certificates)
        self._proxy = proxy

    def post(
        self,
        what: str,
        signer: Signer,
        fields: dict[str, object],
        *,
        attempts: int | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
        unknown: AgentError | None = None,
    ) -> Response:
        """Send one request, again while nobody answers; each attempt is signed afresh.

        Refused with the portal's code when it says no, AgentError `network` when it cannot be reached, `unknown` where
        it has no such endpoint (404), as an older one.
        """
        return self._post(
            what,
            lambda url: signer.sign(url, fields),
            "application/jose",
            attempts=attempts,
            timeout=timeout,
            unknown=unknown,
        )

    def post_plain(self, what: str, body: bytes) -> Response:
        """The same for a request that nobody signs: JSON in its canonical form."""
        return self._post(what, lambda _: body, "application/json")

    def _post(
        self,
        what: str,
        make: Callable[[str], str | bytes],
        content_type: str,
        *,
        attempts: int | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
        unknown: AgentError | None = None,
    ) -> Response:
        url = f"{self.edge_url}/api/v1/agent/{what}"
        failure = unreachable(self.edge_url, "it was not asked", self._proxy)
        with httpx.Client(verify=self._trust, proxy=self._proxy, timeout=timeout, trust_env=False) as client:
            for _ in pauses(attempts):
                body = make(url)
                try:
                    status, answer = _ask(client, url, body, content_type)
                except httpx.TransportError as error:
                    failure = self._clock_trouble(error) or unreachable(self.edge_url, describe(error), self._proxy)
                    continue
                if status == httpx.codes.NOT_FOUND and unknown is not None:
                    raise unknown
                if status not in _ASK_AGAIN:
                    return _response(url, status, answer)
                failure = _unavailable(url, status, answer)
        raise failure

    def _clock_trouble(self, error: httpx.TransportError) -> AgentError | None:
        """The portal's certificate seems to be of another time: that is our clock, if it says so itself."""
        if not _OF_ANOTHER_TIME.search(str(error)):
            return None
        there = clock.of_portal(self.edge_url, self._ca_certificates, self._proxy)
        return clock.skewed(times.now(), there) if there else None


def trust_only(ca_certificates: str) -> ssl.SSLContext:
    """TLS that believes these roots and no others, neither the system's nor anyone's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_certificates)
    return context


def pauses(attempts: int | None = None) -> Iterator[int]:
    """The numbers of the attempts, with growing pauses between them."""
    for attempt in range(attempts or ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        yield attempt


def unreachable(url: str, trouble: str, proxy: str | None = None) -> AgentError:
    """The error for an address that gives no usable answer, without the sign-in of the proxy."""
    host = urlsplit(url).netloc
    if proxy:
        host += f" through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}"
    return AgentError(
        "network",
        f"Strongroom cannot be reached at {host}: {trouble}.",
        "Check this machine's network, name resolution, firewall and proxy, then try again.",
    )


def _ask(client: httpx.Client, url: str, body: str | bytes, content_type: str) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    headers = {"Content-Type": content_type, **answers.PLAIN}
    with client.stream("POST", url, content=body, headers=headers) as response:
        clock.note(response.headers.get("Date"))
        return response.status_code, answers.read(response)


def _response(url: str, status: int, answer: bytes) -> Response:
    body = _object(answer)
    if body is None:
        raise unreachable(url, f"it answered {status} without JSON")
    if httpx.codes.is_success(status):
        return Response(status, body)
    raise _refusal(status, body)


def _unavailable(url: str, status: int, answer: bytes) -> AgentError:
    """In the portal's words if it said something, otherwise nobody was there."""
    body = _object(answer)
    if body and body.get("code"):
        return _refusal(status, body)
    return unreachable(url, f"it answered {status}")


def _object(answer: bytes) -> dict[str, object] | None:
    try:
        body = answers.parsed(answer)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(status: int, body: dict[str, object]) -> Refused:
    code, remedy = str(body.get("code") or "refused"), str(body.get("remedy") or "")
    detail = str(body.get("detail") or f"The portal answered {status}.")
    known = {"type", "title", "status", "detail", "code", "remedy", "ok", "message"}
    return Refused(code, detail, remedy, **{k: v for k, v in body.items() if k not in known})


def describe(error: httpx.TransportError) -> str:
    """What went wrong on the way, for the middle of a sentence."""
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return _ERRNO.sub("", str(error)).strip().rstrip(".") or type(error).__name__
