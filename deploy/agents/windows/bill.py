"""The bill of materials of an installer: what the agent's has (deploy/sbom.py), and interpreter and restic."""

from deploy import sbom
from deploy.agents.pins import Pin
from deploy.agents.windows.inputs import Engine, Interpreter


def bill(interpreter: Interpreter, engine: Engine) -> str:
    """CycloneDX in JSON. What is inside of the two is told by those who make them: this names their files by digest."""
    made = sbom.agent()
    parts = [_part("python", interpreter.pin), _part("restic", engine.pin)]
    made["components"] = sorted([*made["components"], *parts], key=lambda each: str(each["bom-ref"]))
    itself, *others = made["dependencies"]
    refs = [str(each["bom-ref"]) for each in parts]
    itself["dependsOn"] = sorted([*itself["dependsOn"], *refs])
    made["dependencies"] = [itself, *others, *({"ref": ref, "dependsOn": []} for ref in refs)]
    return sbom.text(made)


def _part(name: str, pin: Pin) -> sbom.Json:
    project = pin.source.removeprefix("https://github.com/")
    digest = {"hashes": [{"alg": "SHA-256", "content": pin.sha256}]}
    url = {"type": "distribution", "url": pin.url or pin.source, **digest}
    return {
        "type": "application",
        "bom-ref": f"input:{name}=={pin.version}",
        "name": name,
        "version": pin.version,
        "licenses": [{"license": {"id": pin.licence}}],
        "purl": f"pkg:github/{project}@v{pin.version}",
        "externalReferences": [url],
    }
