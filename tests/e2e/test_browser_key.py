"""The key of a credential is born in the browser: seen from outside, by what was sent and what was kept."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from playwright.sync_api import Request, Route, expect

from portal.core.times import for_people
from tests.api_person import ApiPerson
from tests.e2e.machine import make_machine
from tests.e2e.people import Person, SignIn
from tests.e2e.ready import active_vault
from tests.portal_process import Portal

pytestmark = pytest.mark.system
SHORTEST = 12  # characters of a private key in a row that would give it away; chance alone never makes so many
KEPT_BY_THE_PAGE = (
    "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, document.documentElement.outerHTML])"
)
NO_WEBCRYPTO = "delete Crypto.prototype.subtle"


@pytest.fixture
def vault(portal: Portal, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a new Active vault, named after the test."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        yield active_vault(portal, staff, request.node.name.replace("_", "-")[:50])


@pytest.fixture
def staff(sign_in: SignIn) -> Person:
    return sign_in("staff")


class NetworkLog:
    """All that a window sends: addresses, headers and bodies, decoded in every way that could hide a key."""

    def __init__(self, person: Person) -> None:
        self.sent: list[bytes] = []
        self.posted: list[tuple[str, Any]] = []
        person.context.on("request", self._note)
        person.page.on("websocket", lambda socket: self.sent.append(b"a websocket to " + socket.url.encode()))

    def _note(self, request: Request) -> None:
        body = request.post_data_buffer or b""
        headers = json.dumps(request.headers).encode()
        self.sent += [request.url.encode(), unquote_to_bytes(request.url), headers, body, unquote_to_bytes(body)]
        if body and request.headers.get("content-type") == "application/json":
            document = json.loads(body)
            self.posted.append((request.url, document))
            self.sent += [json.dumps(document, ensure_ascii=False).encode(), *_decoded(document)]

    def bodies(self, ending: str) -> list[Any]:
        """The JSON that was sent to addresses that end so."""
        return [body for url, body in self.posted if url.endswith(ending)]


def _decoded(value: Any) -> list[bytes]:
    """Every text in the document, as itself and out of base64."""
    if isinstance(value, dict):
        return [found for one in value.values() for found in _decoded(one)]
    if not isinstance(value, str):
        return [str(value).encode()]
    padded = value.replace("-", "+").replace("_", "/")
    return [value.encode(), base64.b64decode(padded + "=" * (-len(padded) % 4))]


def traces(pem: str) -> set[bytes]:
    """Pieces of the private key in the forms in which it could leave: bytes, hexadecimal, decimal, PKCS#8, JWK."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value
    scalar = number.to_bytes(32, "big")
    forms = [scalar.hex(), scalar.hex().upper(), str(number)]
    for before in range(3):  # base64 of something that holds the scalar, at each alignment
        wrapped = base64.b64encode(bytes(before) + scalar).decode()[4 if before else 0 : -4]
        forms += [wrapped, wrapped.replace("+", "-").replace("/", "_")]
    pieces = {form[at : at + SHORTEST].encode() for form in forms for at in range(len(form) - SHORTEST + 1)}
    return pieces | {scalar[at : at + 8] for at in range(25)} | {b"PRIVATE KEY"}


def found(pieces: set[bytes], texts: list[bytes]) -> list[bytes]:
    """Those of the pieces that are somewhere in the texts."""
    everything = b"\0".join(texts)
    return [piece for piece in pieces if piece in everything]


def files_below(folder: Path) -> list[bytes]:
    """What every regular file holds."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def credential_rows(portal: Portal, vault: str) -> list[list[str]]:
    """How each credential of the vault ended and where its key was made, in the order of issue."""
    code = (
        "import json; from vaults.models import Credential;"
        f"rows = Credential.objects.filter(vault='{vault}').order_by('issued_at');"
        "print(json.dumps([list(row) for row in rows.values_list('end', 'key_origin')]))"
    )
    rows: list[list[str]] = json.loads(portal.manage("shell", "-v", "0", "-c", code))
    return rows


def press(staff: Person) -> None:
    staff.page.get_by_role("button", name="Download vault credentials").click()


def test_the_search_would_find_a_key_that_left() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    body = "".join(pem.splitlines()[1:-1])
    der = base64.b64decode(body)
    shapes = [body.encode(), der, der[5:].hex().encode(), base64.urlsafe_b64encode(b"x" + der), b"!" + der[36:68]]
    assert [bool(found(traces(pem), [shape])) for shape in shapes] == [True] * 5
    public = der[-65:]
    assert found(traces(pem), [public, base64.b64encode(public), public.hex().encode()]) == []


def test_no_request_carries_the_private_key(portal: Portal, staff: Person, vault: str, tmp_path: Path) -> None:
    """The file works with the real agent, openssl agrees that key and certificate fit, and the portal never had it."""
    log = NetworkLog(staff)
    staff.go(f"/vaults/{vault}/quick-start/")
    expect(staff.page.get_by_text("Your browser makes the private key")).to_be_visible()
    expect(staff.page.get_by_text("The portal makes the private key")).to_be_hidden()
    path = staff.download_credentials(vault, tmp_path, machines=2)
    document = json.loads(path.read_text())
    today = datetime.fromisoformat(document["issued_at"]).astimezone(UTC)
    assert path.name == f"{document['vault']['name']}_{today:%a %b %d %Y}.VaultCredentials"
    outcome = staff.page.locator("#credential-outcome")
    expect(outcome).to_have_text(
        f"Saved as {path.name}. Its private key was made in this browser; the portal never had it."
    )
    expect(staff.page.get_by_text("its key was made in the browser and never reached the portal")).to_be_visible()
    expect(staff.page.get_by_text("for 2 more machines of 2")).to_be_visible()
    staff.check()

    assert list(document)[-1] == "private_key"
    pieces = traces(document["private_key"])
    (claim,) = log.bodies("/credentials")
    assert set(claim) == {"public_key", "proof", "challenge", "machines"}
    assert log.bodies("/credentials/challenge") == [{}]
    assert found(pieces, log.sent) == []
    _fits_by_openssl(document, tmp_path)

    make_machine(tmp_path, "hr-db-02", files=5, megabytes=1).setup(path)
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    assert found(pieces, log.sent) == []
    assert found(pieces - {b"PRIVATE KEY"}, files_below(portal.data)) == []
    assert credential_rows(portal, vault) == [["", "browser"]]
    assert found(pieces, [staff.page.evaluate(KEPT_BY_THE_PAGE).encode()]) == []


def _fits_by_openssl(document: dict[str, Any], folder: Path) -> None:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(document["certificate"])
    key.write_text(document["private_key"])
    of_certificate = ["openssl", "x509", "-in", str(certificate), "-noout", "-pubkey"]
    of_key = ["openssl", "pkey", "-in", str(key), "-pubout", "-check"]
    public = [subprocess.run(command, capture_output=True, check=True).stdout for command in (of_certificate, of_key)]
    assert public[1] == b"Key is valid\n" + public[0]


@pytest.mark.long
def test_without_webcrypto_the_portal_makes_the_key_and_the_page_says_so(
    portal: Portal, staff: Person, vault: str, tmp_path: Path
) -> None:
    staff.context.add_init_script(NO_WEBCRYPTO)
    log = NetworkLog(staff)
    staff.go(f"/vaults/{vault}/quick-start/")
    expect(staff.page.get_by_text("The portal makes the private key")).to_be_visible()
    expect(staff.page.get_by_text("Your browser makes the private key")).to_be_hidden()
    path = staff.download_credentials(vault, tmp_path)
    outcome = staff.page.locator("#credential-outcome")
    expect(outcome).to_contain_text("Its private key was made by the portal, in memory")
    expect(staff.page.get_by_text("its key was made by the portal, in memory")).to_be_visible()
    staff.check()
    assert log.bodies("/credentials") == [{"machines": 1}]
    _fits_by_openssl(json.loads(path.read_text()), tmp_path)
    make_machine(tmp_path, "old-browser", files=3, megabytes=1).setup(path)
    assert credential_rows(portal, vault) == [["", "server"]]


@pytest.mark.long
def test_a_browser_that_can_make_no_key_says_so_and_falls_back_at_the_next_press(
    staff: Person, vault: str, tmp_path: Path, portal: Portal
) -> None:
    staff.context.add_init_script("SubtleCrypto.prototype.generateKey = () => Promise.reject(new Error('no'))")
    staff.go(f"/vaults/{vault}/quick-start/")
    expect(staff.page.get_by_text("Your browser makes the private key")).to_be_visible()
    press(staff)
    expect(staff.page.locator("#credential-outcome")).to_contain_text("This browser could not make a key. Press again")
    expect(staff.page.get_by_text("The portal makes the private key")).to_be_visible()
    assert credential_rows(portal, vault) == []
    with staff.page.expect_download():
        press(staff)
    assert credential_rows(portal, vault) == [["", "server"]]


def test_without_javascript_the_form_hands_out_the_file(
    portal: Portal, staff: Person, vault: str, tmp_path: Path
) -> None:
    with closing(staff.context.browser.new_context(java_script_enabled=False)) as plain:  # type: ignore[union-attr]
        plain.add_cookies(staff.context.cookies())  # type: ignore[arg-type]
        page = plain.new_page()
        page.goto(f"{portal.portal_url}/vaults/{vault}/quick-start/")
        expect(page.get_by_text("The portal makes the private key")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download vault credentials").click()
        assert json.loads(download.value.path().read_text())["vault"]["id"] == vault
    assert credential_rows(portal, vault) == [["", "server"]]


@pytest.mark.long
def test_what_went_wrong_is_told(portal: Portal, staff: Person, vault: str) -> None:
    """Refused, unreachable, answered by something that is not us: each in words, and the button works again."""
    staff.go(f"/vaults/{vault}/quick-start/")
    outcome = staff.page.locator("#credential-outcome")

    def refuse(route: Route) -> None:
        route.fulfill(status=409, json={"detail": "Payroll is Failed; credentials are issued only for Active vaults."})

    def mistaken(route: Route) -> None:
        route.fulfill(status=422, json={"errors": {"challenge": ["This challenge is not yours."]}, "detail": "Wrong."})

    for handler, words in (
        (refuse, "Payroll is Failed; credentials are issued only for Active vaults."),
        (mistaken, "This challenge is not yours."),
        (lambda route: route.abort(), "The portal could not be reached."),
        (lambda route: route.fulfill(status=502, body="Bad gateway"), "The portal answered 502."),
        (lambda route: route.fulfill(status=201, body="not JSON"), "The file could not be made."),
    ):
        staff.page.route("**/credentials", handler)
        press(staff)
        expect(outcome).to_contain_text(words)
        staff.page.unroute("**/credentials", handler)
    with staff.page.expect_download():
        press(staff)
    expect(outcome).to_contain_text("Saved as")
    assert credential_rows(portal, vault) == [["", "browser"]]


@pytest.mark.long
def test_a_button_pressed_twenty_times_is_one_press(portal: Portal, staff: Person, vault: str) -> None:
    staff.go(f"/vaults/{vault}/quick-start/")
    with staff.page.expect_download():
        staff.page.get_by_role("button", name="Download vault credentials").evaluate(
            "button => { for (let n = 0; n < 20; n++) button.click(); }"
        )
    expect(staff.page.locator("#credential-outcome")).to_contain_text("Saved as")
    assert credential_rows(portal, vault) == [["", "browser"]]


def test_of_twenty_presses_at_once_exactly_the_last_is_valid(portal: Portal, staff: Person, vault: str) -> None:
    """What twenty tabs would do together: twenty keys, twenty challenges, twenty files, and one that is valid."""
    staff.go(f"/vaults/{vault}/quick-start/")
    files = staff.page.evaluate(
        """async () => {
          const { issue } = await import(document.querySelector("script[src*='/credential.']").src);
          return Promise.all(Array.from({ length: 20 }, () => issue(1)));
        }"""
    )
    assert len({file["private_key"] for file in files}) == len({file["issued_at"] for file in files}) == 20
    assert credential_rows(portal, vault) == [["replaced", "browser"]] * 19 + [["", "browser"]]
    last = max(files, key=lambda file: str(file["issued_at"]))
    staff.page.reload()
    until = datetime.fromisoformat(last["expires_at"])
    expect(staff.page.get_by_text(f"valid until {for_people(until)}")).to_be_visible()
