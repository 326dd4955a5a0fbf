"""The edge lets through what it should, as it came, and takes away what clients must not say."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lines import header, received, send, status
from tests.run.edge import HANG_UP, REPOSITORY, SECRET, Edge, running_edge

pytestmark = pytest.mark.system

MESSAGE = 128 * 1024  # bytes of the longest signed request


@pytest.fixture(scope="module")
def one_edge() -> Iterator[Edge]:
    """One Caddy for all tests of this module, with two files to serve."""

    def files(folder: str) -> None:
        Path(folder, "static", "site.0123456789ab.css").write_text("body {}\n")
        Path(folder, "static", "plain.css").write_text("body {}\n")
        Path(folder, "agents", "strongroom-agent-1.0.0-linux-x86_64").write_bytes(b"\x7fELF")
        Path(folder, "agents", ".hidden").write_text("no")

    with running_edge(files) as edge:
        yield edge


@pytest.fixture
def edge(one_edge: Edge) -> Edge:
    """It, with nothing asked yet."""
    one_edge.forget()
    return one_edge


def chunked(length: int) -> str:
    """The rest of a request with a body of that many bytes, its length not said."""
    return f"Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{'a' * length}\r\n0\r\n\r\n"


# Machines: the data path


def test_a_request_for_data_is_asked_about_as_it_came(edge: Edge) -> None:
    """The portal hears method, raw address and certificate; the gateway gets the rest of the path and the body."""
    answer = edge.machine(f"POST {REPOSITORY}/?create=true", "Content-Length: 3\r\n\r\nabc", certificate=True)
    assert status(answer) == 200
    (asked,) = edge.gate.asked
    assert (asked.method, asked.path, asked.body) == ("GET", "/gateway/authorize", b"")
    assert asked.headers["x-forwarded-method"] == "POST"
    assert asked.headers["x-forwarded-uri"] == f"{REPOSITORY}/?create=true"
    assert asked.headers["x-edge-secret"] == SECRET
    assert asked.headers["x-client-serial"].isdecimal()
    assert len(asked.headers["x-client-fingerprint"]) == 64
    (passed,) = edge.gateway.asked
    assert (passed.method, passed.path, passed.body) == (
        "POST",
        f"{REPOSITORY.removeprefix('/local-a')}/?create=true",
        b"abc",
    )
    assert "x-edge-secret" not in passed.headers


def test_a_storage_that_is_away_is_asked_again(edge: Edge) -> None:
    """The gateway says 500 when its storage does not answer or does not let it in: 503, with a word to people."""
    edge.gateway.answer = 500
    answer = edge.machine(f"GET {REPOSITORY}/config", certificate=True)
    assert (status(answer), header(answer, "Retry-After")) == (503, "1")
    assert b"The storage of this region is not working. Ask an administrator." in answer


@pytest.mark.parametrize("code", [200, 403, 404, 416])
def test_other_words_of_the_gateway_pass(edge: Edge, code: int) -> None:
    edge.gateway.answer = code
    assert status(edge.machine(f"GET {REPOSITORY}/config", certificate=True)) == code


@pytest.mark.parametrize("kind", ["data", "index", "snapshots"])
def test_a_deletion_goes_to_the_portal(edge: Edge, kind: str) -> None:
    """After the question, as a POST with the edge's secret; the gateway hears nothing, and 204 decides nothing."""
    path = f"{REPOSITORY}/{kind}/{'ab' * 32}"
    forged = ["X-Edge-Secret: forged", "X-Forwarded-Uri: /forged", "Cookie: sessionid=forged"]
    assert status(edge.machine(f"DELETE {path}", *forged, certificate=True)) == 503
    (question,), (deletion,) = edge.gate.asked, edge.web.asked
    assert (question.path, deletion.method, deletion.path) == ("/gateway/authorize", "POST", "/gateway/remove")
    assert "forged" not in str(deletion.headers)
    ours = ["x-edge-secret", "x-client-serial", "x-client-fingerprint", "x-forwarded-method", "x-forwarded-uri"]
    assert {name: deletion.headers[name] for name in ours} == {name: question.headers[name] for name in ours}
    assert (deletion.headers["x-forwarded-method"], deletion.headers["x-forwarded-uri"]) == ("DELETE", path)
    assert edge.gateway.asked == []


@pytest.mark.parametrize("code", [200, 403, 404])
def test_what_the_portal_says_of_a_deletion_passes(edge: Edge, code: int) -> None:
    edge.web.answer = code
    answer = edge.machine(f"DELETE {REPOSITORY}/data/{'ab' * 32}", certificate=True)
    assert (status(answer), edge.gateway.asked) == (code, [])


def test_a_key_is_asked_about_twice(edge: Edge) -> None:
    """The web says whether there is room for another one; then it goes the way of all objects."""
    path = f"{REPOSITORY}/keys/{'ab' * 32}"
    forged = ["X-Edge-Secret: forged", "X-Forwarded-Uri: /forged", "Cookie: sessionid=forged"]
    edge.web.answer = 204
    assert status(edge.machine(f"POST {path}", *forged, "Content-Length: 3\r\n\r\nabc", certificate=True)) == 200
    (room,), (question,), (passed,) = edge.web.asked, edge.gate.asked, edge.gateway.asked
    assert (room.method, room.path, question.path) == ("GET", "/gateway/key", "/gateway/authorize")
    assert "forged" not in str(room.headers)
    assert (room.headers["x-forwarded-method"], room.headers["x-forwarded-uri"]) == ("POST", path)
    assert (passed.method, passed.body) == ("POST", b"abc")


@pytest.mark.parametrize(("said", "heard"), [(403, 403), (507, 507), (500, 503), (200, 503), (404, 503)])
def test_without_room_for_a_key_nothing_goes_on(edge: Edge, said: int, heard: int) -> None:
    edge.web.answer = said
    answer = edge.machine(f"POST {REPOSITORY}/keys/{'ab' * 32}", "Content-Length: 3\r\n\r\nabc", certificate=True)
    assert status(answer) == heard
    assert (edge.gate.asked, edge.gateway.asked) == ([], [])


@pytest.mark.parametrize("kind", ["keys", "locks"])
def test_other_deletions_are_the_gateways(edge: Edge, kind: str) -> None:
    """Which is append-only; the portal's question has refused all but locks before."""
    assert status(edge.machine(f"DELETE {REPOSITORY}/{kind}/{'ab' * 32}", certificate=True)) == 200
    assert [asked.path for asked in edge.gate.asked] == ["/gateway/authorize"]
    assert edge.web.asked == []
    assert [asked.method for asked in edge.gateway.asked] == ["DELETE"]


def test_a_long_body_of_a_deletion_is_not_taken_in(edge: Edge) -> None:
    path = f"{REPOSITORY}/index/{'ab' * 32}"
    long = [f"Content-Length: 1025\r\n\r\n{'x' * 1025}", chunked(1025)]
    assert [status(edge.machine(f"DELETE {path}", body, certificate=True)) for body in long] == [413, 413]
    assert edge.web.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/local-a/%2e%2e/local-b/x",
        "/local-a/..%2f..%2fetc/passwd",
        "/local-a//x/config",
        "/local-a/x/./config",
        "/local-a/x\\config",
        "/local-a/x/config?a=%00",
        "/local-a/x/config%20",
    ],
)
def test_odd_addresses_reach_the_question_unchanged(edge: Edge, path: str) -> None:
    """The portal's grammar judges what the client wrote, not what somebody made of it."""
    edge.gate.answer = 403
    assert status(edge.machine(f"GET {path}", certificate=True)) == 403
    assert [asked.headers["x-forwarded-uri"] for asked in edge.gate.asked] == [path]
    assert edge.gateway.asked == []


def test_without_a_certificate_the_question_says_so(edge: Edge) -> None:
    """As `<nil>`, which the portal refuses by name."""
    edge.gate.answer = 403
    assert status(edge.machine(f"GET {REPOSITORY}/config")) == 403
    assert edge.gate.asked[0].headers["x-client-serial"] == "<nil>"
    assert edge.gateway.asked == []


def test_nobody_else_says_who_they_are(edge: Edge) -> None:
    """Client copies of our headers are gone, in every spelling that a backend might take for ours."""
    edge.gate.answer = 403
    names = ["X-Edge-Secret", "X-Client-Serial", "X-Client-Fingerprint", "X-Forwarded-Uri", "X-Forwarded-Method"]
    forged = [f"{spelling}: forged" for name in names for spelling in (name, name.replace("-", "_"), name.lower())]
    edge.machine(f"GET {REPOSITORY}/config", *forged, "Cookie: sessionid=forged", "Authorization: Bearer forged")
    (asked,) = edge.gate.asked
    assert "forged" not in str(asked.headers)
    assert not [name for name in asked.headers if "_" in name]
    assert asked.headers["x-client-serial"] == "<nil>"


@pytest.mark.parametrize(
    ("portal", "client"),
    [(403, 403), (507, 507), (503, 503), (500, 503), (502, 503), (200, 503), (302, 503), (404, 503), (400, 503)],
)
def test_only_a_definite_answer_decides(edge: Edge, portal: int, client: int) -> None:
    """A redirect, a page or a fault is no leave and no refusal: machines are told to ask again."""
    edge.gate.answer = portal
    assert status(edge.machine(f"GET {REPOSITORY}/config", certificate=True)) == client
    assert edge.gateway.asked == []


@pytest.mark.parametrize("path", ["/", "/local-b/x/y/config", "/local-a", "/gateway/authorize", "/admin/", "/static/x"])
def test_all_else_at_the_machines_port_is_not_there(edge: Edge, path: str) -> None:
    """Nobody is asked about it."""
    assert status(edge.machine(f"GET {path}", certificate=True)) == 404
    assert edge.web.asked == edge.gate.asked == edge.gateway.asked == []


def test_upgrades_are_refused(edge: Edge) -> None:
    """To HTTP/2 in clear or a web socket, at either port: they would leave the rules behind."""
    upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    assert status(edge.machine(f"GET {REPOSITORY}/config", *upgrade, certificate=True)) == 400
    assert status(edge.people("GET /vaults/", *upgrade)) == 400
    assert edge.web.asked == edge.gate.asked == edge.gateway.asked == []


@pytest.mark.parametrize(
    "line",
    [
        "GET *",
        "GET http://localhost/vaults/",
        "GET http://elsewhere.example/vaults/",
        "GET ftp://localhost/vaults/",
        "GET http:///vaults/",
        "GET localhost/vaults/",
        f"GET https://localhost{REPOSITORY}/config",
        "POST https://localhost/api/v1/agent/register",
        "POST https://elsewhere.example/api/v1/agent/register",
        "GET http://localhost/static/plain.css",
    ],
)
def test_this_is_no_proxy(edge: Edge, line: str) -> None:
    """Addresses as one asks a proxy for them are refused at both ports, and no line is written about them."""
    before = (edge.folder / "caddy.log").read_text()
    assert status(edge.people(line, "Content-Length: 0")) == 400
    assert status(edge.machine(line, "Content-Length: 0", certificate=True)) == 400
    assert edge.web.asked == edge.gate.asked == edge.gateway.asked == []
    assert (edge.folder / "caddy.log").read_text() == before


@pytest.mark.parametrize("host", ["localhost", "elsewhere.example"])
def test_a_question_about_the_edge_itself_says_nothing(edge: Edge, host: str) -> None:
    """Go answers `OPTIONS *` before any rule of ours: one empty answer, without a name in it, and nobody is asked."""
    before = (edge.folder / "caddy.log").read_text()
    question = f"OPTIONS * HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as people, edge.machines_line(True) as machine:
        for line in (people, machine):
            send(line, question)
            head, _, body = received(line).partition(b"\r\n\r\n")
            names = {one.split(b":")[0] for one in head.split(b"\r\n")[1:]}
            assert (status(head), names, body) == (200, {b"Content-Length", b"Date", b"Connection"}, b"")
    assert edge.web.asked == edge.gate.asked == edge.gateway.asked == []
    assert (edge.folder / "caddy.log").read_text() == before


# Machines: signed requests


def test_signed_requests_need_no_certificate(edge: Edge) -> None:
    """They go to the portal with the client's address, which the edge alone says."""
    body = "Content-Type: application/jose\r\nX-Real-IP: 198.51.100.9\r\nContent-Length: 5\r\n\r\na.b.c"
    assert status(edge.machine("POST /api/v1/agent/register", body)) == 204
    (asked,) = edge.web.asked
    assert (asked.path, asked.body, asked.headers["x-real-ip"]) == ("/api/v1/agent/register", b"a.b.c", "127.0.0.1")
    assert asked.headers["x-forwarded-proto"] == "https"


@pytest.mark.parametrize(
    "line",
    [
        "GET /api/v1/agent/register",
        "POST /api/v1/agent/../vaults",
        "POST /api/v1/agent/%2e%2e/vaults",
        "POST /api/v1/agent/register/../../vaults",
        "POST /api/v1/vaults",
        "POST //api/v1/agent/register",
    ],
)
def test_no_other_endpoint_is_reached_that_way(edge: Edge, line: str) -> None:
    """People's endpoints are not on the machines' side."""
    assert status(edge.machine(line, "Content-Length: 0")) == 404
    assert edge.web.asked == []


@pytest.mark.parametrize("length", [MESSAGE - 1, MESSAGE])
def test_a_message_may_be_so_long(edge: Edge, length: int) -> None:
    """It comes whole, whether its length is said or not."""
    body = "a" * length
    assert status(edge.machine("POST /api/v1/agent/register", f"Content-Length: {length}\r\n\r\n{body}")) == 204
    assert status(edge.machine("POST /api/v1/agent/register", chunked(length))) == 204
    assert [asked.body for asked in edge.web.asked] == [body.encode()] * 2


@pytest.mark.parametrize("length", [MESSAGE + 1, 2 * MESSAGE, 64 * MESSAGE])
def test_a_message_that_is_too_long_is_refused(edge: Edge, length: int) -> None:
    """By one byte or by far: the portal never has it whole, nor hears of it when its length was said."""
    body = f"Content-Length: {length}\r\n\r\n" + "a" * length
    assert status(edge.machine("POST /api/v1/agent/register", body)) == 413
    assert edge.web.asked == []
    assert status(edge.machine("POST /api/v1/agent/register", chunked(length))) == 413
    assert edge.web.asked == []


# People


def test_pages_come_from_the_portal(edge: Edge) -> None:
    """With the address and the scheme that the edge saw."""
    forged = ["X-Real-IP: 198.51.100.9", "X_Real_IP: 198.51.100.9", "X-Forwarded-Proto: https", "Cookie: sessionid=a"]
    assert status(edge.people("GET /vaults/", *forged)) == 204
    (asked,) = edge.web.asked
    assert "198.51.100.9" not in str(asked.headers)
    assert (asked.headers["x-real-ip"], asked.headers["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert asked.headers["cookie"] == "sessionid=a"


@pytest.mark.parametrize("path", ["/gateway/authorize", "/gateway", "/%67ateway/authorize", "//gateway/authorize"])
def test_the_edges_question_is_not_for_people(edge: Edge, path: str) -> None:
    """However it is spelled."""
    assert status(edge.people(f"GET {path}")) == 404
    assert edge.web.asked == []


@pytest.mark.parametrize(
    "path",
    ["/api/v1/agent/register", "/api/v1/agent", "/api/v1/%61gent/runs", "/api/v1/agent%2Fruns", "//api/v1/agent/runs"],
)
def test_machines_endpoints_are_not_for_people(edge: Edge, path: str) -> None:
    """Where no size fit for them is set, and nobody looks for machines."""
    assert status(edge.people(f"POST {path}", "Content-Length: 0")) == 404
    assert edge.web.asked == []


def test_the_rest_of_the_api_is_for_people(edge: Edge) -> None:
    for path in ("/api/v1/agents", "/api/v1/vaults"):
        assert status(edge.people(f"GET {path}")) == 204
    assert [asked.path for asked in edge.web.asked] == ["/api/v1/agents", "/api/v1/vaults"]


def test_static_files(edge: Edge) -> None:
    """For ever when their name has their hash, for minutes otherwise; none is executed or listed."""
    hashed = edge.people("GET /static/site.0123456789ab.css")
    assert (status(hashed), header(hashed, "Cache-Control")) == (200, "public, max-age=31536000, immutable")
    plain = edge.people("GET /static/plain.css")
    assert (status(plain), header(plain, "Cache-Control")) == (200, "public, max-age=300")
    assert header(plain, "X-Content-Type-Options") == "nosniff"
    assert status(edge.people("GET /static/")) == 404
    assert edge.web.asked == []
    for path in ("../pki/edge.key", "%2e%2e/pki/edge.key", "..%2fpki/edge.key"):
        assert b"PRIVATE" not in edge.people(f"GET /static/{path}")


def test_agent_packages(edge: Edge) -> None:
    """As files to keep, never to show."""
    answer = edge.people("GET /agents/files/strongroom-agent-1.0.0-linux-x86_64")
    assert status(answer) == 200
    assert answer.endswith(b"\x7fELF")
    assert header(answer, "Content-Disposition") == "attachment; filename=strongroom-agent-1.0.0-linux-x86_64"
    assert header(answer, "Content-Type") == "application/octet-stream"
    assert header(answer, "X-Content-Type-Options") == "nosniff"
    for name in ("", ".hidden", "missing"):
        assert status(edge.people(f"GET /agents/files/{name}")) == 404
    assert edge.web.asked == []
    for path in ("..%2fpki%2fedge.key", "../pki/edge.key"):
        assert b"PRIVATE" not in edge.people(f"GET /agents/files/{path}")


def test_what_a_new_machine_fetches(edge: Edge) -> None:
    """The agent, whole or in part, and the roots: without a certificate, by exact name, nothing beside."""
    path = "/agents/files/strongroom-agent-1.0.0-linux-x86_64"
    answer = edge.machine(f"GET {path}")
    assert (status(answer), answer.endswith(b"\x7fELF")) == (200, True)
    assert header(answer, "Content-Type") == "application/octet-stream"
    rest = edge.machine(f"GET {path}", "Range: bytes=1-")
    assert (status(rest), rest.endswith(b"\r\n\r\nELF")) == (206, True)
    root = edge.machine("GET /agents/root.pem")
    assert (status(root), root.endswith((edge.folder / "pki" / "root.pem").read_bytes())) == (200, True)
    for method in ("POST", "PUT", "DELETE"):
        for name in (path, "/agents/root.pem"):
            assert status(edge.machine(f"{method} {name}", "Content-Length: 0")) == 404
    assert edge.web.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/agents/files/",
        "/agents/files",
        "/agents/",
        "/agents/edge.key",
        "/agents/keys.json",
        "/agents/root.pem/",
        "/agents/files/root.pem",
        "/agents/files/MARSAgentInstaller.exe",
        "/agents/files/.draft-0123",
        "/agents/files/strongroom-agent-missing",
        "/agents/files/strongroom-agent-1.0.0-linux-x86_64/",
        "/agents/files/strongroom-agent-../../pki/edge.key",
        "/agents/files/strongroom-agent-..%2f..%2fpki%2fedge.key",
        "/agents/files/%2e%2e/%2e%2e/pki/edge.key",
        "/agents/files/strongroom-agent-%00",
        "/agents/root.pem%00",
        "/agents/..%2fpki/edge.key",
    ],
)
def test_nothing_else_is_fetched_there(edge: Edge, path: str) -> None:
    (edge.folder / "agents" / "MARSAgentInstaller.exe").write_bytes(b"somebody else's")
    answer = edge.machine(f"GET {path}")
    assert status(answer) in {400, 404}
    assert b"PRIVATE" not in answer
    assert b"somebody" not in answer


def test_when_the_portal_is_away_everybody_asks_again_and_nothing_secret_is_written(edge: Edge) -> None:
    """Not to the log, by an error about a request that carried it, nor to the configuration."""
    edge.web.answer = edge.gate.answer = HANG_UP
    answer = edge.machine(f"GET {REPOSITORY}/config", "Cookie: sessionid=seCret1", certificate=True)
    assert (status(answer), header(answer, "Retry-After")) == (503, "1")
    page = edge.people("GET /vaults/", "Cookie: sessionid=seCret1", "Authorization: Bearer seCret2")
    assert status(page) == 503
    assert b"Strongroom is not answering. It is being restarted; try again in a moment." in page
    written = (edge.folder / "caddy.log").read_text() + (edge.folder / "edge" / "Caddyfile").read_text()
    assert [word for word in ("seCret1", "seCret2", SECRET) if word in written] == []
