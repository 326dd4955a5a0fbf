"""Certificates of a running portal: the edge's is renewed in mid-backup, and a rotation goes by unnoticed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from portal.edge import probe
from portal.pki.crypto import certificates
from tests.api_person import ApiPerson
from tests.e2e import ready
from tests.e2e.machine import Machine, restored
from tests.e2e.slow_backup import slow_backup
from tests.portal_process import Portal, running
from tests.waiting import wait_for

pytestmark = pytest.mark.system
PACK = 16  # MiB: one is then under way for more than six seconds, the edge's grace period is three


@pytest.fixture(scope="module")
def own_portal() -> Iterator[Portal]:
    """A portal for these tests alone: they change its CAs."""
    with running() as portal:
        yield portal


@pytest.fixture(scope="module")
def machine(own_portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine that has been backed up once."""
    folder = tmp_path_factory.mktemp("machine")
    with closing(ApiPerson(own_portal.portal_url, "staff", own_portal.accounts["staff"])) as staff:
        vault_id = ready.active_vault(own_portal, staff, "Payroll", "local")
        made, _ = ready.ready_machine(folder, "hr-db-02", ready.credentials(staff, vault_id, folder))
    return made


def shown(portal: Portal) -> str:
    """The fingerprint of what the edge shows; while it reloads it may cut a connection that is not through with TLS."""

    def seen() -> str | None:
        try:
            return certificates.fingerprint(probe.shown(portal.edge_url))
        except ConnectionError:
            return None

    return wait_for("the edge to answer", seen)


def written(portal: Portal) -> str:
    """The fingerprint of what it is to show."""
    return certificates.fingerprint(certificates.read_chain((portal.data / "pki" / "edge.pem").read_text())[0])


def let_certificate_age(portal: Portal) -> None:
    """Give the edge a certificate of two months ago, as its files would hold by then."""
    for name in ("edge.pem", "edge.key"):
        (portal.data / "pki" / name).unlink()
    code = (
        "from datetime import timedelta; from django.conf import settings; from django.utils import timezone;"
        "from portal.edge import files;"
        "files.prepare(settings.PKI, settings.EDGE_URL, timezone.now() - timedelta(days=61))"
    )
    portal.manage("shell", "-v", "0", "-c", code)
    wait_for("the edge to show it", lambda: shown(portal) == written(portal))


def repository(machine: Machine) -> str:
    """The address of its data."""
    identity = json.loads((machine.home / "identity.json").read_text())
    return str(identity["answer"]["repositories"][0]["url"])


@pytest.mark.long
def test_edge_is_renewed_in_the_middle_of_a_backup(own_portal: Portal, machine: Machine, tmp_path: Path) -> None:
    """By the worker, without another process for the edge; restic goes on, and what it stored is whole."""
    let_certificate_age(own_portal)
    old, edge = shown(own_portal), own_portal.pids()["edge"]
    url = repository(machine)
    stored = own_portal.data / "storage" / urlsplit(url).path.strip("/")
    with slow_backup(machine, url, stored, pack=PACK) as backup:
        wait_for("an upload to be under way", lambda: backup.objects() > backup.before)
        own_portal.manage("shell", "-v", "0", "-c", "from portal.celery import app; app.send_task('portal.edge-files')")
        wait_for("the edge to be renewed", lambda: shown(own_portal) != old)
        assert backup.finish() == 0, backup.said
    assert (shown(own_portal), own_portal.pids()["edge"]) == (written(own_portal), edge)
    machine.agent("check")
    machine.agent("restore", "--target", tmp_path)
    assert restored(tmp_path, backup.data).read_bytes() == backup.data.read_bytes()
    own_portal.wait_until_ready()


@pytest.mark.long
def test_a_rotation_of_the_root_under_real_machines(own_portal: Portal, machine: Machine, tmp_path: Path) -> None:
    """The commands of docs/operations/certificates.md in their order; who stayed away has to come anew."""
    machine.agent("renew")
    left_behind = Machine("left-behind", tmp_path / "left-behind")
    shutil.copytree(machine.home, left_behind.home)
    assert accepted(own_portal) == [1]

    own_portal.manage("pki", "rotate", "root")
    wait_for("the edge to trust the new CA", lambda: accepted(own_portal) == [2, 1])
    make_settled(own_portal)
    machine.agent("backup")
    machine.agent("renew")
    machine.agent("backup")

    own_portal.manage("pki", "retire")
    wait_for("the edge to show a certificate under the new root", lambda: shown(own_portal) == written(own_portal))
    wait_for("the edge to forget the old CA", lambda: accepted(own_portal) == [2])
    machine.agent("backup")
    machine.agent("renew")
    assert trusted_by(machine) == (own_portal.data / "pki" / "root.pem").read_text()
    assert left_behind.agent("renew", status=4)["code"] == "network"
    own_portal.wait_until_ready()


def trusted_by(machine: Machine) -> str:
    """The roots that it got the last time."""
    identity = json.loads((machine.home / "identity.json").read_text())
    return str(identity["answer"]["ca_certificates"])


def accepted(portal: Portal) -> list[int]:
    """The generations whose client certificates the edge takes, as `pki fingerprints` says."""
    lines = portal.manage("pki", "fingerprints").splitlines()
    return [int(line.split()[-1]) for line in lines if line.startswith("  accepts ")]


def make_settled(portal: Portal) -> None:
    """Let the minute pass that a new CA waits before it issues."""
    path = portal.data / "pki" / "keys.json"
    content = json.loads(path.read_text())
    content["current"]["since"] = "2020-01-01T00:00:00+00:00"
    draft = path.with_suffix(".test")
    draft.write_text(json.dumps(content))
    draft.replace(path)
