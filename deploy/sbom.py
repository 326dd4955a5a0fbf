"""Writes the bills of materials of a release: what the portal is made of, and what the agent's package holds.

`python -m deploy.sbom [FOLDER]`, CycloneDX 1.6 in JSON. cyclonedx-py reads the hashes from the locks, and the licences
and who needs whom from the packages that are installed; the programs beside them are those of NOTICE. The same locks
give the same bytes.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from strongroom_agent import __version__

from deploy import notice

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "agents" / "client"
DIST = ROOT / "dist"
SCHEMA = SchemaVersion.V1_6
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ITSELF = "root-component"

Json = dict[str, Any]


def main(folder: Path) -> list[Path]:
    """Write both into the folder, which is made where it is missing; their paths. Raises SystemExit as `text` does."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, bill in (("strongroom", portal()), ("strongroom-agent", agent())):
        path = folder / f"{name}-{__version__}.cdx.json"
        path.write_text(text(bill), encoding="utf-8")
        paths.append(path)
    return paths


def text(bill: Json) -> str:
    """The bill as it is published; raises SystemExit where the schema does not allow it."""
    written = json.dumps(bill, indent=2, ensure_ascii=False) + "\n"
    error = JsonStrictValidator(SCHEMA).validate_str(written)
    if error is not None:
        raise SystemExit(f"{bill['metadata']['component']['name']}: no valid bill of materials: {error}")
    return written


def portal() -> Json:
    """What deploy/requirements.txt locks, and the programs that come with it."""
    lines = (ROOT / "deploy" / "requirements.in").read_text().splitlines()
    wanted = [found[0] for line in lines if (found := _NAME.match(line))]
    return _bill(ROOT / "pyproject.toml", notice.LOCK, wanted, list(programs()))


def agent() -> Json:
    """What the agent's package for Linux holds. restic is not in it."""
    project = CLIENT / "pyproject.toml"
    wanted = [_NAME.findall(each)[0] for each in tomllib.loads(project.read_text())["project"]["dependencies"]]
    return _bill(project, CLIENT / "requirements.txt", wanted, [])


def programs() -> Iterator[Json]:
    """The programs of NOTICE as components. Those that lie in the sources have the hash of their file."""
    for part in notice.programs():
        name, _, place = part.name.removesuffix(")").partition(" (")
        file = ROOT / place
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        yield {
            "type": "library" if file.is_file() else "application",
            "bom-ref": f"program:{name.lower()}=={part.version}",
            "name": name,
            "version": part.version,
            "description": place,
            **({"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}),
            "licenses": [{"license": {"id": part.licence}}],
            "purl": f"pkg:github/{part.source.removeprefix('https://github.com/')}@{_tag(name, part.version)}",
            "externalReferences": [{"type": "vcs", "url": part.source}],
        }


def _bill(project: Path, lock: Path, wanted: list[str], others: list[Json]) -> Json:
    """The tool's bill of the lock, with what the tool says of the installed packages put into it."""
    bill = _tool("requirements", str(lock))
    known = {_key(component["name"]): component for component in _installed()["components"]}
    packages = [_described(component, known) for component in bill["components"]]
    refs = {_key(component["name"]): component["bom-ref"] for component in packages}
    needs = _needs(refs) | {_ITSELF: {refs[_key(name)] for name in wanted}}
    for other in others:
        needs[refs.get(other["description"].removeprefix("in "), _ITSELF)].add(other["bom-ref"])
    bill["metadata"]["component"] = _itself(project)
    bill["components"] = sorted([*packages, *others], key=lambda component: str(component["bom-ref"]))
    all_refs = [_ITSELF, *(component["bom-ref"] for component in bill["components"])]
    bill["dependencies"] = [{"ref": ref, "dependsOn": sorted(needs.get(ref, ()))} for ref in all_refs]
    return bill


def _itself(project: Path) -> Json:
    about = tomllib.loads(project.read_text())["project"]
    return {
        "type": "application",
        "bom-ref": _ITSELF,
        "name": about["name"],
        "version": __version__,
        "description": about["description"],
        "licenses": [{"license": {"id": about["license"]}}],
    }


def _described(locked: Json, known: dict[str, Json]) -> Json:
    """A package of the lock with its hashes, and what its installation says of it.

    Raises SystemExit where another version is installed, or none though this platform wants it.
    """
    name, version = _key(locked["name"]), locked["version"]
    about: Json = known.get(name, {})
    if name in notice.ELSEWHERE:
        licence, source = notice.ELSEWHERE[name]
        licences = [{"license": {"id": licence, "acknowledgement": "declared"}}]
        about = {"licenses": licences, "externalReferences": [{"type": "website", "url": source}]}
    elif about.get("version") != version:
        raise SystemExit(f"{name} {version} is locked, {about.get('version')} is installed: run `make lint`.")
    described = {**locked, "bom-ref": f"{name}=={version}"}
    described.pop("description")  # the line of the lock
    described |= {key: about[key] for key in ("description", "licenses") if key in about}
    if not described.get("licenses"):  # the package names one in words of its own, which the tool passes over
        described["licenses"] = [{"license": {"name": _told()[name], "acknowledgement": "declared"}}]
    described["externalReferences"] = [*about.get("externalReferences", ()), *locked["externalReferences"]]
    return described


def _needs(refs: dict[str, str]) -> dict[str, set[str]]:
    """Who needs whom among the packages of `refs`, which has their references in the bill by their names.

    What only some platforms want is needed by nobody, so that a bill is the same on all of them.
    """
    wanted = set(refs) - set(notice.ELSEWHERE)
    told = {_name(each["ref"]): set(map(_name, each.get("dependsOn", ()))) for each in _installed()["dependencies"]}
    return {refs[name]: {refs[other] for other in told.get(name, set()) & wanted} for name in refs}


@cache
def _installed() -> Json:
    return _tool("environment", sys.executable)


@cache
def _told() -> dict[str, str]:
    """The licences of the site's packages, by NOTICE's words; the agent's are among them."""
    return {_key(part.name): part.licence for part in notice.packages()}


def _tool(*arguments: str) -> Json:
    """What cyclonedx-py says, without the time and the random number that it would give a bill."""
    how = ["--output-reproducible", "--no-validate", "--of", "JSON", "--sv", SCHEMA.to_version()]
    command = [str(Path(sys.executable).parent / "cyclonedx-py"), *arguments, *how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    bill: Json = json.loads(done.stdout)
    return bill


def _tag(program: str, version: str) -> str:
    """What its project calls the commit of a version."""
    return version if program == "Valkey" else f"v{version}"


def _name(ref: str) -> str:
    return _key(ref.partition("==")[0])


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    for written in main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIST):
        sys.stdout.write(f"{written}\n")
