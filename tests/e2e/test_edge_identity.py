"""Who the real edge takes somebody for: by the certificate on the connection, and by nothing that a client says."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import httpx
import pytest

from portal.pki.crypto import certificates
from tests.e2e.edge_world import Wanted, World
from tests.e2e.wire import Answer, ask, request

pytestmark = pytest.mark.system
NAME = "0123456789abcdef" * 4
WEEK = {"begin": 0, "end": 7}
OURS: dict[str, Wanted] = {
    "good": {**WEEK, "row": {}},
    "expired": {"begin": -8, "end": -1, "row": {"not_after": 8}},
    "expired by the row alone": {**WEEK, "row": {"not_after": -0.001}},
    "not yet valid": {"begin": 1, "end": 8, "row": {}},
    "revoked": {**WEEK, "row": {"revoked_at": 0}},
    "of no row": WEEK,
}


@pytest.fixture(scope="module")
def pairs(world: World) -> dict[str, Path | None]:
    """Certificates by kind, with their keys."""
    others = {"a neighbour's": world.neighbours, "a credential's": world.credential}
    return {"none": None, **others, "another CA's": world.another_cas(), **world.issued(OURS)}


# What requests come to: 0 where TLS already ends them.
STATUS = {
    "none": 403,
    "a neighbour's": 403,
    "a credential's": 403,
    "another CA's": 0,
    "expired": 0,
    "expired by the row alone": 403,
    "not yet valid": 0,
    "revoked": 403,
    "of no row": 403,
}


@pytest.mark.parametrize("kind", STATUS)
def test_certificates_that_open_nothing(
    world: World, pairs: dict[str, Path | None], untouched: Callable[[Answer], int], kind: str
) -> None:
    """In reading, storing and removing."""
    tries = [("GET", "config"), ("GET", "keys/"), ("POST", "?create=true")]
    tries += [(method, f"locks/{NAME}") for method in ("POST", "DELETE")]
    for method, rest in tries:
        body = b"junk" if method == "POST" else b""
        sent = request(f"{method} {world.own}/{rest}", "Connection: close", body=body)
        assert untouched(ask(world.portal, pairs[kind], sent)) == STATUS[kind], rest


def test_a_certificate_made_here_would_open_it(world: World, pairs: dict[str, Path | None]) -> None:
    """So the table above refuses for the reasons that it names."""
    sent = request(f"GET {world.own}/config", "Connection: close")
    assert ask(world.portal, pairs["good"], sent).status == 200


def spellings(name: str) -> list[str]:
    """Ways to write a header that a backend might take for it."""
    words = name.split("-")
    separators = product("-_", repeat=len(words) - 1)
    mixed = ["".join(a + b for a, b in zip(words, [*each, ""], strict=True)) for each in separators]
    return [*mixed, name.lower(), name.upper(), name.replace("-", "_").upper(), f"HTTP_{name.replace('-', '_')}"]


def claims(world: World) -> dict[str, str]:
    """What the edge itself says when the owner asks, the secret that it shows included: somebody has stolen it."""
    leaf = certificates.read_chain(world.owners.read_text())[0]
    return {
        "X-Client-Serial": str(leaf.serial_number),
        "X-Client-Fingerprint": certificates.fingerprint(leaf),
        "X-Edge-Secret": (world.portal.data / "secrets" / "strongroom_edge_secret").read_text().strip(),
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Uri": f"{world.own}/config",
        "X-Forwarded-For": "127.0.0.1",
        "X-Real-IP": "127.0.0.1",
    }


@pytest.mark.parametrize("who", ["nobody", "neighbour"])
def test_claims_in_headers_change_nothing(world: World, untouched: Callable[[Answer], int], who: str) -> None:
    """Each in every spelling, all of them together, twice, and named as belonging to the connection."""
    pair = world.neighbours if who == "neighbour" else None
    said = claims(world)
    each = {name: [f"{spelling}: {value}" for spelling in spellings(name)] for name, value in said.items()}
    everything = [line for lines in each.values() for line in lines]
    plain = [f"{name}: {value}" for name, value in said.items()]
    hidden = [*plain, f"Connection: close, {', '.join(said)}"]
    neighbours_own = f"X-Forwarded-Uri: /local-a/{world.vault}/{world.neighbour}/config"
    tries = [*each.values(), everything, [*plain, *plain], hidden, [neighbours_own], [f"Connection: {', '.join(said)}"]]
    for headers in tries:
        sent = request(f"GET {world.own}/config", *headers)
        assert untouched(ask(world.portal, pair, sent)) == 403, headers


def test_the_owner_stays_itself(world: World, untouched: Callable[[Answer], int]) -> None:
    """Whatever else it claims to be: odd headers are taken away, not believed and not held against it."""
    sent = request(
        f"HEAD {world.own}/config",
        "X-Client-Serial: <nil>",
        "x_client_serial: 1",
        "X-Forwarded-Uri: /",
        "X-Edge-Secret: wrong",
        "Connection: close",
    )
    assert untouched(ask(world.portal, world.owners, sent)) == 200


def test_the_edges_own_question_is_answered_to_nobody_else(world: World) -> None:
    """Not at the machines' port, nor at people's, by whoever has the secret."""
    headers = {**claims(world), "Connection": "close"}
    sent = request("GET /gateway/authorize", *[f"{name}: {value}" for name, value in headers.items()])
    assert ask(world.portal, world.owners, sent).status == 404
    answer = httpx.get(f"{world.portal.portal_url}/gateway/authorize", headers=claims(world), timeout=30)
    assert answer.status_code == 404
