"""A portal, a person, and what `make agents` has built."""

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.agents import packed
from deploy.agents.__main__ import BUILT, FACTS
from tests.api_person import ApiPerson
from tests.e2e.ready import active_vault
from tests.packages import NEWER
from tests.portal_process import Portal


@pytest.fixture(scope="session")
def packages() -> dict[str, Path]:
    """The built packages by their kind."""
    assert os.geteuid() == 0, "A bare Debian is entered as root only."
    assert (BUILT / FACTS).is_file(), "Nothing has been built: run `make agents` first."
    return {each["kind"]: BUILT / each["file"] for each in json.loads((BUILT / FACTS).read_text())}


@pytest.fixture(scope="session")
def newer(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same as packages of a later version."""
    folder = tmp_path_factory.mktemp("newer")
    with tarfile.open(packages["archive"]) as archive:
        archive.extractall(folder, filter="tar")
    (folder / "packages").mkdir()
    made = packed.pack(folder / "strongroom-agent", folder / "packages", NEWER)
    shutil.rmtree(folder / "strongroom-agent")
    return made


@pytest.fixture(scope="session")
def staff(portal: Portal) -> Iterator[ApiPerson]:
    """A person who makes vaults."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


@pytest.fixture(scope="session")
def vault(portal: Portal, staff: ApiPerson) -> str:
    """An Active vault for all machines of these tests."""
    return active_vault(portal, staff, "Bare-systems")
