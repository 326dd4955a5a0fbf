"""`manage.py publish_agent`: builds when the sources have changed, and says so when it cannot."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from shutil import rmtree

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.models import AgentPackage
from agents.packages import build as building
from agents.packages.publish import withdraw
from tests.agents.factories import COMMAND

pytestmark = pytest.mark.django_db
SCRIPT = """
import hashlib, json, pathlib, sys
with (pathlib.Path(__file__).parent / "builds").open("a") as count:
    count.write("one\\n")
content = b"built from " + (pathlib.Path(__file__).parent / "strongroom_agent/main.py").read_bytes()
pathlib.Path(sys.argv[1]).write_bytes(content)
facts = {"version": "1.0.0", "platform": "linux", "architecture": "x86_64"}
print(json.dumps({**facts, "sha256": hashlib.sha256(content).hexdigest()}))
"""


@pytest.fixture
def sources(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of a small program, with a real script that builds it."""
    settings.AGENT_PACKAGES = tmp_path / "agents"
    folder = tmp_path / "client"
    (folder / "strongroom_agent").mkdir(parents=True)
    (folder / "strongroom_agent" / "main.py").write_text("one")
    (folder / "build_package.py").write_text(SCRIPT)
    monkeypatch.setattr(building, "SOURCES", folder)
    monkeypatch.setattr(building, "builds", lambda: tmp_path / "builds")
    return folder


def publish() -> str:
    out = StringIO()
    call_command("publish_agent", stdout=out)
    return out.getvalue()


def made(sources: Path) -> dict[str, int]:
    """The builds there are, and when each was made."""
    return {path.name: path.stat().st_mtime_ns for path in (sources.parent / "builds").glob("[!.]*")}


def listed() -> AgentPackage:
    return AgentPackage.objects.get(withdrawn_at=None)


def test_it_builds_once_for_the_same_sources(sources: Path) -> None:
    digest = hashlib.sha256(b"built from one").hexdigest()
    assert publish() == f"strongroom-agent-1.0.0-linux-x86_64-{digest[:8]} published.\n"
    before = made(sources)
    assert publish() == f"strongroom-agent-1.0.0-linux-x86_64-{digest[:8]} is up to date.\n"
    assert made(sources) == before
    assert (listed().sha256, AgentPackage.objects.count()) == (digest, 1)


def test_portals_that_start_together_build_once(sources: Path) -> None:
    """Each build takes a quarter of a minute of a whole core."""
    wanted = building.fingerprint()
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: building._build_of(wanted), range(4)))
    assert len(set(folders)) == 1
    assert (sources / "builds").read_text() == "one\n"


def test_another_data_folder_takes_the_same_build(sources: Path, settings: Settings) -> None:
    publish()
    before = made(sources)
    AgentPackage.objects.all().delete()
    settings.AGENT_PACKAGES = settings.AGENT_PACKAGES.with_name("others")
    assert publish().endswith("published.\n")
    assert made(sources) == before
    assert (settings.AGENT_PACKAGES / listed().file_name).read_bytes() == b"built from one"


def test_it_builds_again_when_a_source_changes(sources: Path) -> None:
    publish()
    (sources / "strongroom_agent" / "main.py").write_text("two")
    assert publish().endswith("published.\n")
    assert listed().sha256 == hashlib.sha256(b"built from two").hexdigest()
    assert len(made(sources)) == 1


def test_it_publishes_again_when_the_file_is_gone_or_cut_short(sources: Path, settings: Settings) -> None:
    publish()
    path = settings.AGENT_PACKAGES / listed().file_name
    path.write_bytes(b"built")
    assert publish().endswith("published.\n")
    assert path.read_bytes() == b"built from one"
    path.unlink()
    assert publish().endswith("published.\n")
    assert path.exists()


def test_what_was_withdrawn_stays_so_until_it_is_asked_for(sources: Path) -> None:
    publish()
    name = listed().file_name
    withdraw(listed().pk, actor=COMMAND)
    for _ in range(2):
        assert publish() == f"{name} was withdrawn and stays so; manage.py publish_agent --again publishes it.\n"
    assert not AgentPackage.objects.filter(withdrawn_at=None).exists()
    out = StringIO()
    call_command("publish_agent", again=True, stdout=out)
    assert out.getvalue() == f"{name} published.\n"
    assert (listed().file_name, AgentPackage.objects.count()) == (name, 1)
    assert publish().endswith("is up to date.\n")


def test_another_build_of_the_same_sources_stays_withdrawn_too(sources: Path) -> None:
    """Builds are not always equal byte for byte, and may be made anew."""
    publish()
    withdraw(listed().pk, actor=COMMAND)
    for build in (sources.parent / "builds").glob("[!.]*"):
        rmtree(build)
    assert publish().endswith("was withdrawn and stays so; manage.py publish_agent --again publishes it.\n")
    assert made(sources) == {}


def test_what_a_newer_one_took_the_place_of_comes_back_with_its_sources(sources: Path) -> None:
    publish()
    first = listed().sha256
    (sources / "strongroom_agent" / "main.py").write_text("two")
    publish()
    withdraw(listed().pk, actor=COMMAND)
    (sources / "strongroom_agent" / "main.py").write_text("one")
    assert publish().endswith("published.\n")
    assert listed().sha256 == first


@pytest.mark.parametrize(
    ("script", "longest", "reason"),
    [
        ("import sys; sys.exit('no index')", 60, "no index"),
        ("raise SystemExit(1)", 60, "It gave no reason."),
        ("import time; time.sleep(60)", 1, "It was not done after 1 seconds."),
    ],
)
def test_a_failed_build_says_why_and_leaves_what_there_is(
    sources: Path, monkeypatch: pytest.MonkeyPatch, script: str, longest: int, reason: str
) -> None:
    publish()
    monkeypatch.setattr(building, "LONGEST", longest)
    (sources / "build_package.py").write_text(script)
    with pytest.raises(CommandError, match=f"could not be built: {reason}"):
        publish()
    assert listed().sha256 == hashlib.sha256(b"built from one").hexdigest()
