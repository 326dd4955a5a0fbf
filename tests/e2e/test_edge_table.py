"""What the real edge, portal and gateway refuse: odd addresses, methods, upgrades, forged headers, bad certificates.

Refused is a status, nothing stored, and nothing shown.
"""

from collections.abc import Callable
from hashlib import sha256

import pytest

from tests.e2e.edge_world import World
from tests.e2e.wire import Answer, ask, request

pytestmark = pytest.mark.system
NAME = "0123456789abcdef" * 4
JUNK = b"junk"


def test_the_owner_is_let_in(world: World) -> None:
    """So what the others are refused is there."""
    answer = ask(world.portal, world.owners, request(f"GET {world.own}/config"))
    assert answer.status == 200
    assert answer.body in world.secrets


# Addresses: {own} is the owner's folder, {name} one of its objects. With the owner's own certificate.
ADDRESSES = {
    "{own}/../{neighbour}/config": 403,
    "{own}/..": 403,
    "{own}/../../": 403,
    "/local-a/../local-b/{vault}/{owner}/config": 403,
    "/x/../local-a/{vault}/{owner}/config": 404,
    "{own}/./config": 403,
    "{own}/data/../config": 403,
    "{own}/data/{name}/..": 403,
    "/local-a//{vault}/{owner}/config": 403,
    "//local-a/{vault}/{owner}/config": 404,
    "{own}//config": 403,
    "{own}/data//{name}": 403,
    "{own}/config/": 403,
    "{own}/%63onfig": 403,
    "{own}/%2e%2e/{neighbour}/config": 403,
    "{own}/..%2f{neighbour}%2fconfig": 403,
    "{own}/%252e%252e/config": 403,
    "{own}%2fconfig": 403,
    "/local%2da/{vault}/{owner}/config": 404,
    "/%6cocal-a/{vault}/{owner}/config": 404,
    "{own}/config%00": 403,
    "{own}/config%0a": 403,
    "{own}/config%0d%0aX-Client-Serial:1": 403,
    "{own}/config?": 403,
    "{own}/config?x=1": 403,
    "{own}/config#x": 403,
    "{own}/config;x": 403,
    "{own}/data/{name}?create=true": 403,
    "{own}/\uff0e\uff0e/{neighbour}/config": 403,
    "{own}/\u2024\u2024/{neighbour}/config": 403,
    "{own}\uff0fconfig": 403,
    "{own}/c\uff4fnfig": 403,
    "{own}\\config": 403,
    "{own}\\..\\{neighbour}\\config": 403,
    "{own}/config\t": 400,
    "{own}/": 403,
    "{own}": 403,
    "{own}/data": 403,
    "/local-a/": 403,
    "/local-a/{vault}/": 403,
    "/local-a": 404,
    "/": 404,
    "*": 400,
    "/local-b/{vault}/{neighbour}/config": 403,
    "/quarantine/{vault}/{owner}/config": 404,
    "/local-a/quarantine/{vault}/{owner}/config": 403,
    "/LOCAL-A/{vault}/{owner}/config": 404,
    "https://localhost{own}/config": 400,
    "http://localhost/gateway/authorize": 400,
    "/gateway/authorize": 404,
    "/gateway/authorize/../..{own}/config": 404,
    "{own}/data/{upper}": 403,
    "{own}/other/{name}": 403,
    "{own}/data/{name}0": 403,
    "{own}/data/00/{name}": 403,
}


def filled(world: World, address: str) -> str:
    """The address with the folders of this run."""
    name = world.genuine
    folders = {"own": world.own, "vault": world.vault, "owner": world.owner, "neighbour": world.neighbour}
    return address.format(**folders, name=name, upper=name.upper())


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_addresses(world: World, untouched: Callable[[Answer], int], method: str) -> None:
    """Every odd spelling of a way to something that is there, in reading, storing and removing."""
    body = JUNK if method == "POST" else b""
    found = {}
    for address in ADDRESSES:
        line = f"{method} {filled(world, address)}"
        found[address] = untouched(ask(world.portal, world.owners, request(line, "Connection: close", body=body)))
    assert found == ADDRESSES


METHODS = {
    "PUT": 403,
    "PATCH": 403,
    "DELETE": 403,
    "OPTIONS": 403,
    "MOVE": 403,
    "COPY": 403,
    "MKCOL": 403,
    "PROPFIND": 403,
    "get": 403,
    "Post": 403,
    "X-ANY": 403,
    "PRI": 403,
    "TRACE": 405,
    "CONNECT": 405,
    "GE T": 400,
    "G\u00c9T": 400,
    "": 400,
}


@pytest.mark.parametrize("method", METHODS)
def test_methods(world: World, untouched: Callable[[Answer], int], method: str) -> None:
    """On an object that is there; POST of one that is there is refused by the gateway, since nothing is overwritten."""
    for target in (f"{world.own}/config", f"{world.own}/data/{world.genuine}"):
        sent = request(f"{method} {target}", "Connection: close", body=JUNK)
        assert untouched(ask(world.portal, world.owners, sent)) == METHODS[method]


def test_what_is_there_is_not_overwritten(world: World, untouched: Callable[[Answer], int]) -> None:
    """By its owner, in any type but locks, whatever comes with it."""
    for target in ("config", f"data/{world.genuine}"):
        for more in ("X-HTTP-Method-Override: PUT", "Overwrite: T", "Content-Range: bytes 0-3/4"):
            sent = request(f"POST {world.own}/{target}", more, "Connection: close", body=JUNK)
            assert untouched(ask(world.portal, world.owners, sent)) == 403


UPGRADES = {
    "h2c": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    "websocket": [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ],
    "another": ["Connection: keep-alive, upgrade", "upgrade: TLS/1.3"],
    "lower case, twice": ["connection: upgrade", "upgrade: h2c", "Upgrade: websocket"],
    "without saying so": ["Upgrade: h2c"],
}


@pytest.mark.parametrize("kind", UPGRADES)
def test_upgrades(world: World, untouched: Callable[[Answer], int], kind: str) -> None:
    """They would leave the rules behind; refused to the owner too."""
    for line in (f"GET {world.own}/config", f"POST {world.own}/data/{NAME}", "POST /api/v1/agent/register"):
        assert untouched(ask(world.portal, world.owners, request(line, *UPGRADES[kind]))) == 400


MOST = 99_999


@pytest.mark.parametrize("rest", ["locks/{absent}", "keys/{absent}", "config"])
def test_sizes(world: World, untouched: Callable[[Answer], int], rest: str) -> None:
    """What counts against no quota is small, and says so: what does not is refused before it is sent."""
    target = f"{world.own}/{rest.format(absent=NAME)}"
    for length in (f"Content-Length: {MOST + 1}", f"Content-Length: {1024**2}", "Transfer-Encoding: chunked", "X: x"):
        assert untouched(ask(world.portal, world.owners, request(f"POST {target}", length, "Connection: close"))) == 413


def test_a_lock_of_the_largest_size_comes_and_goes(world: World, untouched: Callable[[Answer], int]) -> None:
    """What is too big above is so by one byte."""
    body = b"x" * MOST
    target = f"{world.own}/locks/{sha256(body).hexdigest()}"
    for sent in (request(f"POST {target}", "Connection: close", body=body), request(f"DELETE {target}")):
        assert untouched(ask(world.portal, world.owners, sent)) == 200
