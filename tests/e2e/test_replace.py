"""A machine's disk is lost: another computer takes its place, restores its files, and the old certificate is dead."""

import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, contents, make_machine, restored
from tests.e2e.people import SignIn
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.portal_process import Portal

pytestmark = pytest.mark.system


@contextmanager
def asking(portal: Portal, certificate: Path, path: str) -> Iterator[list[tuple[float, int]]]:
    """While the block runs, somebody asks the edge again and again on one open connection: when each began, its
    status."""
    answers: list[tuple[float, int]] = []
    done = threading.Event()
    context = ssl.create_default_context(cafile=str(portal.data / "pki" / "root.pem"))
    context.load_cert_chain(certificate)

    def ask() -> None:
        with httpx.Client(base_url=portal.edge_url, verify=context, timeout=30) as client:
            while not done.is_set():
                began = time.time()
                answers.append((began, client.get(path).status_code))
                done.wait(0.05)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


def download(portal: Portal, sign_in: SignIn, machine: str, folder: Path) -> Path:
    """Staff ask in the browser, an approver agrees, staff download; every page is looked at by axe."""
    page = f"/machines/{machine}/replacement/"
    staff, approver = sign_in("staff"), sign_in("approver")
    staff.go(f"/machines/{machine}/")
    staff.page.get_by_role("link", name="Replace", exact=True).click()
    staff.check()
    staff.page.get_by_label("Reason").fill("The disk is broken.")
    staff.page.get_by_role("button", name="Request a replacement").click()
    expect(staff.page.get_by_role("heading", name="You requested this")).to_be_visible()
    staff.check()
    approver.go(page)
    approver.check()
    approver.page.get_by_label("Comment").fill("Seen it myself.")
    approver.page.get_by_role("button", name="Agree", exact=True).click()
    # Nobody touches the page of staff: it must tell by itself that the credentials are ready.
    button = staff.page.get_by_role("button", name="Download replacement credentials")
    expect(button).to_be_visible()
    staff.check()
    with staff.page.expect_download() as event:
        button.click()
    target = folder / event.value.suggested_filename
    event.value.save_as(target)
    expect(staff.page.get_by_text("was made in this browser; the portal never had it")).to_be_visible()
    staff.check()
    return target


def test_another_computer_takes_the_place(portal: Portal, sign_in: SignIn, tmp_path: Path) -> None:
    """Identity and folder stay; the old snapshots open with the old passphrase; the old certificate opens nothing."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, "Replaced")
        old = make_machine(tmp_path / "old", "hr-db-02", files=20, megabytes=3)
        snapshot = old.setup(credentials(staff, vault, tmp_path))["backup"]["snapshot"]
        number = machine_id(staff, vault, "hr-db-02")
        before = contents(old.files)
        shutil.rmtree(old.files)

        file = download(portal, sign_in, number, tmp_path)
        assert file.name.startswith("Replaced_hr-db-02_")
        new = make_machine(tmp_path / "new", "hr-db-02", files=2, megabytes=1, seed=2)
        with asking(portal, certificate_of(old), f"/local-a/{vault}/{number}/config") as answers:
            answer = set_up(new, file, old.home / "passphrase")
        registered = (new.home / "registration.json").stat().st_mtime
        held = [status for began, status in answers if began > holding(new)]
        assert {status for began, status in answers if began < registered} == {200}
        assert held
        assert set(held) == {403}

        assert (answer["machine"]["id"], answer["machine"]["name"]) == (number, "hr-db-02")
        assert [each["id"] for each in answer["earlier_snapshots"]] == [snapshot]
        new.agent("restore", "--snapshot", snapshot, "--target", tmp_path / "back")
        assert contents(restored(tmp_path / "back", old.files)) == before
        assert len(new.agent("snapshots")["snapshots"]) == 2
        old.files.mkdir()  # with nothing left to back up, the agent would not even ask
        for command in (["backup"], ["renew"], ["unregister"]):
            assert old.agent(*command, status=1)["code"] == "not_allowed"
        shown = staff.get(f"machines/{number}")
        assert (shown["state"], staff.get(f"vaults/{vault}")["machines"]) == ("Ready", 1)


def set_up(machine: Machine, file: Path, passphrase: Path) -> dict[str, Any]:
    """`setup` with a replacement file and the passphrase from before; the name comes from the file."""
    return machine.agent(
        *("setup", "--unattended", "--no-schedule", "--no-link", "--credentials", file, "--protect", machine.files),
        *("--install-dir", machine.folder / "install", "--cache-dir", machine.folder / "cache"),
        *("--passphrase-file", passphrase),
    )


def holding(machine: Machine) -> float:
    """From when on the machine has held its certificate, for sure: client.pem is written after the answer came."""
    return (machine.home / "client.pem").stat().st_mtime
