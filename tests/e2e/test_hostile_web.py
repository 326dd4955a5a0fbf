"""What clients of the people's port do that no browser does, through the real edge."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest

from tests.lines import received, send
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
CLOSED = b""
LIMIT = 60  # seconds


@contextmanager
def connection(portal: Portal) -> Iterator[socket.socket]:
    """A bare connection to the people's port; whatever is waited for has to come within its time limit."""
    with closing(socket.create_connection(("localhost", portal.port), timeout=LIMIT)) as line:
        yield line


def asked(portal: Portal, request: bytes) -> bytes:
    """All that the edge answers to the bytes until it hangs up."""
    with connection(portal) as line:
        send(line, request)
        return received(line)


def test_headers_that_never_end_are_cut_off(portal: Portal) -> None:
    with connection(portal) as line:
        line.sendall(b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        began = time.monotonic()
        while line.recv(65536) != CLOSED:
            continue
        assert time.monotonic() - began > 5  # not for another reason


def test_bodies_that_never_end_hold_nobody_up(portal: Portal) -> None:
    """Many more of them than the web has threads, and pages come as before."""
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nuser"
    with ExitStack() as lines:
        for _ in range(100):
            line = lines.enter_context(connection(portal))
            line.sendall(f"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\n{form}".encode())
        assert httpx.get(f"{portal.portal_url}/accounts/login/", timeout=LIMIT).status_code == 200


def test_bodies_have_a_limit(portal: Portal) -> None:
    """The web never gets more than 256 KiB of a form or 128 KiB of a message, and reads no more than one can have."""
    with httpx.Client(base_url=portal.portal_url, timeout=LIMIT) as client:
        client.get("/accounts/login/")
        headers = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": portal.portal_url}
        form = {"username": "staff", "password": "x" * (2 * 1024 * 1024)}
        assert client.post("/accounts/login/", data=form, headers=headers).status_code == 413
    jose = {"Content-Type": "application/jose"}
    with httpx.Client(base_url=portal.edge_url, verify=portal.trust, timeout=20, headers=jose) as machine:
        message = machine.post("/api/v1/agent/register", content=b"x" * (100 * 1024))
        assert (message.status_code, message.json()["code"]) == (403, "credential_invalid")
        assert machine.post("/api/v1/agent/register", content=b"x" * (1024 * 1024)).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/agents/files/../secrets/secret_key",
        "/agents/files/..%2fsecrets%2fsecret_key",
        "/agents/files/%2e%2e/secrets/secret_key",
        "/agents/files//../secrets/secret_key",
        "/agents/files/..\\secrets\\secret_key",
        "/agents/files/.draft",
        "/static/../secrets/secret_key",
        "/static/%2e%2e/secrets/secret_key",
        "/static/..%2fsecrets/secret_key",
        "/static//../../secrets/secret_key",
        "/static/%c0%ae%c0%ae/secrets/secret_key",
        "/secrets/secret_key",
        "/pki/keys.json",
    ],
)
def test_no_address_leads_out_of_the_folders(portal: Portal, path: str) -> None:
    answer = asked(portal, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in {b"302", b"308", b"400", b"404"}, answer[:200]
    assert (portal.data / "secrets" / "secret_key").read_bytes().strip() not in answer


def test_nobody_says_where_they_come_from(portal: Portal) -> None:
    """The address that is throttled and written down is the connection's, whatever headers claim."""
    with httpx.Client(base_url=portal.portal_url, timeout=LIMIT) as client:
        form = client.get("/accounts/login/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token
        forged = {"X-Real-IP": "192.0.2.66", "X_Real_IP": "192.0.2.66", "X-Forwarded-For": "192.0.2.66"}
        client.post(
            "/accounts/login/",
            data={"username": "forger", "password": "wrong", "csrfmiddlewaretoken": token[1]},
            headers={**forged, "Forwarded": "for=192.0.2.66", "Referer": portal.portal_url},
        )
    code = (
        "from portal.accounts.models import SignInFailure as F;"
        "print(*F.objects.filter(username='forger').values_list('address', flat=True))"
    )
    seen = wait_for("the try to be noted", lambda: portal.manage("shell", "-v", "0", "-c", code).strip())
    assert seen in {"127.0.0.1", "::1"}
