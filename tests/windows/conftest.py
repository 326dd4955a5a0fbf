"""The installers, a portal, and a Windows to try them in."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.agents.windows import __main__ as windows
from deploy.agents.windows import exe, folder, inputs
from deploy.agents.windows.inputs import Engine, Interpreter
from tests.api_person import ApiPerson
from tests.e2e.ready import active_vault
from tests.portal_process import Portal
from tests.windows import interpreter, restic
from tests.windows.wine import Wine


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Interpreter, Engine]:
    """Interpreter and restic for tests, taken in as those of a product are: by path and digest."""
    place = tmp_path_factory.mktemp("inputs")
    archive = place / "embeddable.zip"
    interpreter.build(archive)
    program, version = restic.build()
    named = place / f"restic_{version}_windows_amd64.exe"
    shutil.copyfile(program, named)
    digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (archive, named)]
    python = inputs.interpreter(place / "kept", str(archive), digests[0])
    return python, inputs.restic(place / "kept", place, str(named), digests[1])


@pytest.fixture(scope="session")
def tree(parts: tuple[Interpreter, Engine], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as one folder."""
    place = tmp_path_factory.mktemp("tree") / "strongroom-agent"
    folder.assemble(place, *parts, b"The licence of restic.\n")
    return place


@pytest.fixture(scope="session")
def installers(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The installers by their kind; the one of NSIS compressed less, which takes minutes otherwise."""
    place = tmp_path_factory.mktemp("installers")
    return windows.pack(tree, place, quick=True)


@pytest.fixture(scope="session")
def newer(tree: Path, installers: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installer of NSIS of a later version, with a file less than before and one more."""
    place = tmp_path_factory.mktemp("newer")
    copy = place / "strongroom-agent"
    shutil.copytree(tree, copy)
    (copy / "packages/typing_extensions.py").unlink()
    (copy / "packages/of_the_newer_version.py").write_text("")
    exe.pack(copy, place / "newer.exe", "99.0.0", quick=True)
    return place / "newer.exe"


@pytest.fixture
def wine(tmp_path: Path) -> Iterator[Wine]:
    """A fresh Windows 10."""
    system = Wine(tmp_path / "wine")
    system.prefix.mkdir()
    system.prepare()
    yield system
    system.end()


@pytest.fixture(scope="session")
def staff(portal: Portal) -> Iterator[ApiPerson]:
    """A person who makes vaults."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


@pytest.fixture(scope="session")
def vault(portal: Portal, staff: ApiPerson) -> str:
    """An Active vault for all machines of these tests."""
    return active_vault(portal, staff, "Windows")
