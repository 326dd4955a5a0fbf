"""The portal over https, with Caddy's own CA, under a name that is not localhost."""

import json
import os
import shutil
import signal
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import CHROMIUM, FLAGS
from tests.e2e.machine import make_machine
from tests.e2e.people import Person
from tests.e2e.trust import trust_authority
from tests.portal_process import Portal, start
from tests.ports import free_port

pytestmark = pytest.mark.system
HOST = "portal.test"  # reserved: no resolver knows it, so nobody but this test answers to it


class HttpsPortal(Portal):
    """A portal whose people come by https to HOST; machines come to an address, as they would without a resolver."""

    @property
    def portal_url(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def edge_url(self) -> str:
        return f"https://127.0.0.1:{self.edge_port}"

    @property
    def authority(self) -> Path:
        """The root of Caddy's own CA, for people's browsers."""
        return self.data / "edge" / "pki" / "authorities" / "local" / "root.crt"

    def ask(self, path: str, *, trust: bool = True) -> httpx.Response:
        """GET the path under the portal's name; without `trust`, as a client that never heard of Caddy's CA."""
        context = ssl.create_default_context(cafile=str(self.authority) if trust else None)
        with httpx.Client(verify=context, timeout=30) as client:
            return client.get(
                f"https://127.0.0.1:{self.port}{path}",
                headers={"Host": f"{HOST}:{self.port}"},
                extensions={"sni_hostname": HOST},
            )

    def health(self) -> dict[str, Any] | None:
        """As for every portal, by https."""
        if not self.authority.exists():
            return None
        try:
            answer: dict[str, Any] = self.ask("/health/ready").json()
        except (httpx.TransportError, ValueError):
            return None
        return answer


@pytest.fixture(scope="module")
def https_portal() -> Iterator[HttpsPortal]:
    port, edge_port = free_port(), free_port()
    data = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp")) / "d"
    addresses = {"PORTAL_URL": f"https://{HOST}:{port}", "EDGE_URL": f"https://127.0.0.1:{edge_port}"}
    plain = start(data, PORT=str(port), EDGE_PORT=str(edge_port), PORTAL_TLS="internal", **addresses)
    portal = HttpsPortal(plain.data, plain.port, plain.edge_port, plain.process, plain.environment)
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.stop(signal.SIGTERM)
        shutil.rmtree(data.parent)


@pytest.fixture
def trusting(https_portal: HttpsPortal, browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """A browser that knows where HOST is and whose owner has imported the portal's root; nothing else is special."""
    trust_authority(tmp_path / "home", https_portal.authority.read_bytes())
    own = browser.browser_type.launch(
        executable_path=CHROMIUM,
        args=[*FLAGS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"],
        env={**os.environ, "HOME": str(tmp_path / "home")},
    )
    yield own
    own.close()


def test_its_certificate_is_for_its_name_and_by_its_own_authority(https_portal: HttpsPortal) -> None:
    answer = https_portal.ask("/accounts/login/")
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        https_portal.ask("/accounts/login/", trust=False)
    by_http = httpx.get(f"http://127.0.0.1:{https_portal.port}/accounts/login/", headers={"Host": HOST}, timeout=30)
    assert by_http.status_code == 400


def test_from_sign_in_to_ready(https_portal: HttpsPortal, trusting: Browser, tmp_path: Path) -> None:
    """Forms with their CSRF checks, cookies for https alone, the key in the browser, a machine that is restored."""
    address, accounts = https_portal.portal_url, https_portal.accounts
    staff = Person(trusting, address, "staff", accounts["staff"])
    approver = Person(trusting, address, "approver", accounts["approver"])
    assert {str(one.get("name")): one.get("secure") for one in staff.context.cookies()} == {
        "sessionid": True,
        "csrftoken": True,
        "known": True,
    }
    assert [one.get("httpOnly") for one in staff.context.cookies() if one.get("name") in {"sessionid", "known"}] == [
        True,
        True,
    ]
    approver.approve(staff.ask_for_vault("Payroll"))
    vault = staff.open_vault("Payroll")

    path = staff.download_credentials(vault, tmp_path)
    expect(staff.page.locator("#credential-outcome")).to_contain_text("Its private key was made in this browser")
    document = json.loads(path.read_text())
    assert (document["portal_url"], document["edge_url"]) == (address, https_portal.edge_url)
    make_machine(tmp_path, "hr-db-02", files=5, megabytes=1).setup(path)
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    staff.check()
