"""The bill of materials of a package: what the agent's has (deploy/sbom.py), and interpreter, OpenSSL and restic."""

from pathlib import Path

from deploy import sbom
from deploy.agents.pins import Pin, pins


def bill(interpreter: Path, restic: Path) -> str:
    """CycloneDX in JSON; what Debian has linked into them is named by its packages."""
    made = sbom.agent()
    in_python, in_restic = (
        [_linked(line) for line in (made_in / "packages").read_text().splitlines()] for made_in in (interpreter, restic)
    )
    linked = in_python + in_restic
    parts = {pin.name: _input(pin) for pin in pins().values()}
    made["components"] += [*parts.values(), *linked]
    made["components"].sort(key=lambda component: str(component["bom-ref"]))
    itself, *others = made["dependencies"]
    itself["dependsOn"] = sorted([*itself["dependsOn"], parts["python"]["bom-ref"], parts["restic"]["bom-ref"]])
    inside = sorted(parts[name]["bom-ref"] for name in ("openssl", "zlib"))
    needs: dict[str, list[str]] = {
        parts["python"]["bom-ref"]: [*(each["bom-ref"] for each in in_python), *inside],
        parts["restic"]["bom-ref"]: sorted(each["bom-ref"] for each in in_restic),
    }
    refs = sorted(str(each["bom-ref"]) for each in [*parts.values(), *linked])
    made["dependencies"] = [itself, *others, *({"ref": ref, "dependsOn": needs.get(ref, [])} for ref in refs)]
    return sbom.text(made)


def _input(pin: Pin) -> sbom.Json:
    fixed = {"description": f"With Debian's security fixes of {pin.fixes.version}"} if pin.fixes else {}
    return {
        "type": "application" if pin.name in {"python", "restic"} else "library",
        "bom-ref": f"input:{pin.name}=={pin.version}",
        "name": pin.name,
        "version": pin.version,
        **fixed,
        "licenses": [{"license": {"id": pin.licence}}],
        "purl": f"pkg:github/{pin.source.removeprefix('https://github.com/')}@v{pin.version}",
        "externalReferences": [
            {
                "type": "source-distribution",
                "url": pin.url or pin.source,
                "hashes": [{"alg": "SHA-256", "content": pin.sha256}],
            }
        ],
    }


def _linked(line: str) -> sbom.Json:
    name, version = line.split()
    return {
        "type": "library",
        "bom-ref": f"debian:{name}=={version}",
        "name": name,
        "version": version,
        "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}",
    }
