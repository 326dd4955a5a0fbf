"""Object stores of two kinds, as programs of this machine: SeaweedFS (S3) and Azurite (Azure's blobs).

SeaweedFS is a wheel among the requirements for tests. Azurite comes by npm from the lock file in tests/stores, into
.venv, at its first use.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import httpx
from botocore.config import Config
from django.conf import settings

from tests.ports import free_port
from tests.waiting import wait_for

BIN = Path(settings.BASE_DIR) / ".venv" / "bin"
AZURITE = Path(settings.BASE_DIR) / ".venv" / "azurite"
LOCKED = Path(settings.BASE_DIR) / "tests" / "stores"
KEY, SECRET = "some-access-key", "some-secret-key"
# The account and key that Azurite has for everybody; its documentation names them.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """A running store: `config` is what rclone needs to reach it."""

    config: dict[str, str]
    metrics: str = ""

    def requests(self) -> int:
        """How many requests SeaweedFS has answered at its S3 port."""
        text = httpx.get(self.metrics).text
        return sum(int(float(count)) for count in re.findall(r"^SeaweedFS_s3_request_total\{.*\} (\S+)$", text, re.M))

    def s3(self) -> Any:
        """A client of the S3 store, as anybody has it who holds the region's key."""
        return botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.config["endpoint"],
            aws_access_key_id=self.config["access_key_id"],
            aws_secret_access_key=self.config["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def make_bucket(self, name: str, *, lock: bool = False, versions: bool = False) -> None:
        """Make a bucket of the S3 store, with object lock or with versions alone."""
        client = self.s3()
        client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
        if versions:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


@contextmanager
def seaweed(folder: Path) -> Iterator[Store]:
    """SeaweedFS with one bucket `bucket`, in `folder`."""
    names = ("master", "volume", "filer", "s3")
    ports = {name: (free_port(), free_port()) for name in names}
    metrics = free_port()
    person = {"name": "t", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [person]}))
    command = [str(BIN / "weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
    for name, (port, grpc) in ports.items():
        command += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # two that run at once would want the same
    command += [f"-s3.config={folder / 's3.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    with _running([*command, f"-metricsPort={metrics}"], folder, ports["s3"][0]):
        config = {
            "type": "s3",
            "provider": "SeaweedFS",
            "endpoint": f"http://127.0.0.1:{ports['s3'][0]}",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
        }
        yield Store(config, f"http://127.0.0.1:{metrics}/metrics")


@contextmanager
def azurite(folder: Path) -> Iterator[Store]:
    """Azurite's blob service, in `folder`."""
    port, program = free_port(), _azurite()
    options = ["--blobPort", str(port), "--location", str(folder), "--skipApiVersionCheck", "--silent"]
    with _running([str(program), *options, "--disableTelemetry"], folder, port):
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield Store({"type": "azureblob", "account": ACCOUNT, "key": ACCOUNT_KEY, "endpoint": endpoint})


def _azurite() -> Path:
    """The program, installed if need be; fails with what to do."""
    npm, program = shutil.which("npm"), AZURITE / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        assert npm, "These tests need npm to install Azurite: apt-get install -y npm (or Node.js from nodejs.org)."
        AZURITE.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCKED / name, AZURITE)
        subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=AZURITE, check=True)
    return program


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[None]:
    environment = {**os.environ, "HOME": str(folder)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(f"{command[0]} to answer", lambda: _answers(port))
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code < 500
    except httpx.TransportError:
        return False
