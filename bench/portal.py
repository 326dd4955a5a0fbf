"""The whole portal, started by the program behind `make run`, and people who use its JSON API."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import measure, programs

READY_WITHIN = 120.0  # seconds


class Person:
    """A session over the edge, signed in through the form."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=30, follow_redirects=True)
        form = self.client.get("/accounts/login/").raise_for_status().text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        if token is None:
            raise programs.Broken("The sign-in page has no form.")
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token[1]}
        self.client.post("/accounts/login/", data=fields, headers={"Referer": address})
        if "sessionid" not in self.client.cookies:
            raise programs.Broken(f"{username} cannot sign in.")

    def get(self, path: str) -> dict[str, Any]:
        """The decoded answer of the API; raises httpx.HTTPStatusError."""
        answer: dict[str, Any] = self.client.get(f"/api/v1/{path}").raise_for_status().json()
        return answer

    def post(self, path: str, body: object) -> dict[str, Any]:
        """The same with a change."""
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"], "Referer": str(self.client.base_url)}
        answer = self.client.post(f"/api/v1/{path}", json=body, headers=headers).raise_for_status()
        decoded: dict[str, Any] = answer.json()
        return decoded


@dataclass(frozen=True)
class Portal:
    """A portal that is ready."""

    process: subprocess.Popen[bytes]
    env: dict[str, str]
    data: Path
    port: int
    edge_port: int
    began: float
    ready: float

    @property
    def start_seconds(self) -> float:
        """From the start of the program to ready."""
        return self.ready - self.began

    @property
    def address(self) -> str:
        """Where people reach it."""
        return f"http://localhost:{self.port}"

    def person(self, role: str) -> Person:
        """One of the sign-ins of the first start: staff, approver, auditor, admin."""
        return Person(self.address, role, self.password(role))

    def password(self, role: str) -> str:
        """Of one of these sign-ins."""
        accounts: dict[str, str] = json.loads((self.data / "demo-accounts.json").read_text())
        return accounts[role]

    def pids(self) -> list[int]:
        """All its processes."""
        return measure.tree(self.process.pid)

    def pids_of(self, word: str) -> list[int]:
        """Those whose command line begins with something that holds `word`, with all below them; raises Broken."""
        tops = [pid for pid in self.pids() if word in measure.name(pid)]
        if not tops:
            raise programs.Broken(f"The portal has no process with {word} in its command line.")
        return sorted({pid for top in tops for pid in measure.tree(top)})

    def new_vault(self, name: str, redundancy: str = "local") -> str:
        """Ask for a vault, approve it, and wait until it is Active; its id."""
        asked = {"subscription": "Default", "name": name, "region": "Local A", "redundancy": redundancy}
        request = self.person("staff").post("vault-requests", {**asked, "reason": "Measuring"})
        approver = self.person("approver")
        decided = approver.post(f"vault-requests/{request['id']}/approve", {"comment": "", "digest": request["digest"]})
        vault: str = decided["vault_id"]
        wait_for(lambda: approver.get(f"vaults/{vault}")["state"] == "Active", f"{name} to be Active")
        return vault


def wait_for(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until it holds; raises Broken after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise programs.Broken(f"Waited {seconds:g} s for {what}.")
        time.sleep(0.02)


@contextlib.contextmanager
def portal(data: Path, database: dict[str, str]) -> Iterator[Portal]:
    """A portal on the data folder, ready; made there on first use."""
    data.mkdir(exist_ok=True)
    port, edge_port = _free_ports()
    env = programs.environment(data, PORT=str(port), EDGE_PORT=str(edge_port), **database)
    began = time.monotonic()
    with programs.running(programs.python("-m", "deploy.runner"), env, data.with_suffix(".log")) as process:
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=5) as client:
            programs.wait_until(lambda: _is_ready(client), "The portal to be ready", process, READY_WITHIN)
        yield Portal(process, env, data, port, edge_port, began, time.monotonic())


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("localhost", 0)) as one, socket.create_server(("localhost", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]
