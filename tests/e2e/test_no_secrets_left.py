"""What must persist nowhere is searched for in all that the portal leaves behind, byte by byte."""

import base64
import gzip
import json
import sqlite3
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis

from tests.api_person import ApiPerson
from tests.e2e import traces
from tests.e2e.machine import Machine, make_machine
from tests.e2e.ready import active_vault
from tests.portal_process import Portal

FORMATS = (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL)


def scalar(pem: str) -> bytes:
    """The secret number of a private key, which every form of the key holds."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes(32)


def new_key(form: serialization.PrivateFormat = FORMATS[0]) -> str:
    """A private key as PEM."""
    plain = serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, plain).decode()


def message(pem: str) -> bytes:
    """A task with the key among its arguments, as the broker keeps tasks: JSON in base64 in JSON."""
    body = base64.b64encode(json.dumps([[pem], {}]).encode()).decode()
    return json.dumps({"body": body, "content-type": "application/json"}).encode()


WAYS: dict[str, Callable[[str], bytes]] = {
    "pem": str.encode,
    "pem with other line ends": lambda pem: pem.replace("\n", "\r\n").encode(),
    "json": lambda pem: json.dumps({"private_key": pem}).encode(),
    "der": lambda pem: base64.b64decode("".join(pem.splitlines()[1:-1])),
    "raw": scalar,
    "hex": lambda pem: b"d = " + scalar(pem).hex().encode(),
    "jwk": lambda pem: base64.urlsafe_b64encode(scalar(pem)).rstrip(b"="),
    "base64 of the pem": lambda pem: base64.b64encode(b"x" + pem.encode()),
    "task": message,
    "gzip": lambda pem: b"before" + gzip.compress(pem.encode()),
    "zlib of json": lambda pem: zlib.compress(json.dumps([pem]).encode()),
    "over the end of a page": lambda pem: scalar(pem)[:19] + bytes(4077) + scalar(pem)[19:],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_planted_key_is_found(way: str, form: serialization.PrivateFormat, tmp_path: Path) -> None:
    """Whichever way a program would have written it."""
    pem = new_key(form)
    (tmp_path / "file").write_bytes(b"\0some bytes before " + WAYS[way](pem) + b" and after")
    secrets = {"planted": scalar(pem), "other": scalar(new_key())}
    assert traces.found_in([tmp_path], secrets) == {"planted": {"file"}}


def test_a_planted_passphrase_is_found_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", b"the passphrase is kx7ma-2vbqw-9tzrd-hh4ue")
    assert traces.found_in([tmp_path], {"it": b"kx7ma-2vbqw-9tzrd-hh4ue"}) == {"it": {"archive.pyz"}}


def test_a_row_that_was_deleted_is_found(tmp_path: Path) -> None:
    """A database forgets where a row lay, not what was in it."""
    pem = new_key()
    with closing(sqlite3.connect(tmp_path / "database")) as database:
        database.execute("PRAGMA secure_delete = OFF")  # some builds of SQLite overwrite what is deleted
        database.execute("CREATE TABLE kept (text)")
        database.execute("INSERT INTO kept VALUES (?)", [pem])
        database.commit()
        database.execute("DELETE FROM kept")
        database.commit()
    assert traces.found_in([tmp_path], {"planted": scalar(pem)}) == {"planted": {"database"}}


def test_what_nobody_touched_since_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"secret secret secret")
    assert traces.found_in([tmp_path], {"it": b"secret secret secret"}, since=time.time() + 60) == {}


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


@pytest.mark.system
def test_nothing_is_left_on_the_portal(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """Keys of credentials made by the portal, the machine's keys and its passphrase, after a whole run; nothing of them
    in the data folder: database with its free pages and journal, broker's log and dump, every log.

    That the search would find them there is shown by keys that the test itself plants in the same places.
    """
    began = time.time() - 1
    vault = active_vault(portal, staff, "Traceless")
    secrets = {f"key of credential {way}": scalar(pem) for way, pem in _credentials(staff, vault)}
    document = staff.post(f"vaults/{vault}/credentials", {}, status=201)
    secrets["key of the credential that was used"] = scalar(document["private_key"])
    secrets |= _run_a_machine(document, tmp_path)
    planted = _plant(portal)
    try:
        found = traces.found_in([portal.data], {**secrets, **planted}, since=began)
    finally:
        _pull_up(portal)
    database = {name for name in found["planted in the database"] if name.startswith("strongroom.sqlite3")}
    assert database
    assert found == {
        "planted in the database": database,
        "planted in the broker": {"dump.rdb", _append_only(portal)},
        "planted in a log": {"terminal.log"},
    }
    _nothing_of_the_credential_stays_on_the_machine(document, tmp_path)


def _credentials(staff: ApiPerson, vault: str) -> Iterator[tuple[str, str]]:
    """Two that are issued and not used: by a script, and by the page's form without scripts."""
    yield "by a script", staff.post(f"vaults/{vault}/credentials", {"machines": 2}, status=201)["private_key"]
    token = staff.client.cookies["csrftoken"]
    form = {"machines": "1", "csrfmiddlewaretoken": token}
    headers = {"Referer": str(staff.client.base_url)}
    answer = staff.client.post(f"/vaults/{vault}/credentials/", data=form, headers=headers).raise_for_status()
    yield "by a form", answer.json()["private_key"]


def _run_a_machine(document: dict[str, str], folder: Path) -> dict[str, bytes]:
    """Setup, a renewal, and another machine that is refused; the secrets of the first."""
    credential = folder / "given.VaultCredentials"
    credential.write_text(json.dumps(document))
    machine = make_machine(folder, "quiet", files=3, megabytes=1)
    machine.setup(credential)
    first = scalar(_machine_key(machine))
    machine.agent("renew")
    make_machine(folder, "late", files=1, megabytes=1).setup(credential, status=3)
    passphrase = (machine.folder / "passphrase-0.txt").read_bytes().strip()
    second = scalar(_machine_key(machine))
    assert first != second
    return {"first key of the machine": first, "second key of the machine": second, "passphrase": passphrase}


def _machine_key(machine: Machine) -> str:
    return str(json.loads((machine.home / "identity.json").read_text())["private_key"])


def _plant(portal: Portal) -> dict[str, bytes]:
    """Keys of nobody; and have the broker dump what it holds."""
    database, broker, log = new_key(), new_key(), new_key()
    portal.manage(
        *("shell", "-v", "0", "-c"),
        "from portal.notifications.models import Notification as N; from django.utils import timezone;"
        f"at = timezone.now(); row = N(key='planted', title='x', step={database[28:228]!r});"
        "row.started_at = row.updated_at = at; row.save()",
    )
    with Redis(unix_socket_path=str(portal.data / "run" / "valkey.sock")) as valkey:
        valkey.config_set("rdbcompression", "no")  # which breaks a text in odd places, now and then in every piece
        valkey.lpush("planted", message(broker))
        valkey.save()
        valkey.delete("planted")
    with (portal.data / "terminal.log").open("a") as terminal:
        terminal.write(f"planted by a test: {scalar(log).hex()}\n")
    return {
        "planted in the database": scalar(database),
        "planted in the broker": scalar(broker),
        "planted in a log": scalar(log),
    }


def _pull_up(portal: Portal) -> None:
    """Take out what was planted where others look."""
    (portal.data / "broker" / "dump.rdb").unlink()
    code = "from portal.notifications.models import Notification as N; N.objects.filter(key='planted').delete()"
    portal.manage("shell", "-v", "0", "-c", code)


def _append_only(portal: Portal) -> str:
    """The file into which the broker writes what it is told."""
    (path,) = (portal.data / "broker").rglob("*.incr.aof")
    return path.name


def _nothing_of_the_credential_stays_on_the_machine(document: dict[str, str], folder: Path) -> None:
    """Its file stays where its people put it; the agent makes no other copy of its key."""
    used = {"credential": scalar(document["private_key"])}
    assert traces.found_in([folder], used) == {"credential": {"given.VaultCredentials"}}
