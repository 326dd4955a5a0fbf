"""Builds the agent's installers for Windows: `python -m deploy.agents.windows`; `make windows-agents` publishes them.

They lie in build/agents/windows/packages, which `packages.json` lists for `manage.py publish_agent --built`. It runs on
Linux and needs no root; --help says which inputs it takes.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from strongroom_agent import __version__

from deploy.agents import compiled, folder, pins
from deploy.agents.__main__ import FACTS, STORE
from deploy.agents.debian import Unavailable
from deploy.agents.windows import bill, exe, inputs, msi
from deploy.agents.windows import folder as windows
from deploy.agents.windows.inputs import Engine, Interpreter
from deploy.agents.windows.signed import Certificate

BUILT = STORE / "windows" / "packages"
PROGRAMS = {
    "makensis": "nsis", "wixl": "wixl", "msibuild": "msitools", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
    "x86_64-w64-mingw32-windres": "binutils-mingw-w64-x86-64",
}  # fmt: skip
"""What it takes, and the packages of Debian that have it; osslsigncode as well where something is to be signed."""
_BY = {"installer": "exe", "msi": "msi"}


def main(arguments: list[str] | None = None) -> int:
    """Build, and say what there is; 1 with the reason where it cannot be built."""
    given = _parser().parse_args(arguments)
    try:
        certificate = _certificate(given)
        _require_programs(sign=certificate is not None)
        python = inputs.interpreter(STORE / "inputs", given.interpreter, given.interpreter_sha256)
        if python.for_tests:
            raise pins.NoInput("this interpreter is one for tests, which lacks parts. Take the one of python.org.")
        with tempfile.TemporaryDirectory() as scratch:
            engine = inputs.restic(STORE / "inputs", Path(scratch), given.restic, given.restic_sha256)
            licence = compiled.licence(pins.pins()["restic"], STORE)
            made = build(BUILT, python, engine, licence, certificate=certificate)
            if given.twice:
                _compare(made, build(Path(scratch) / "again", python, engine, licence))
    except (pins.NoInput, Unavailable) as error:
        sys.stderr.write(f"The agent's installers for Windows cannot be built: {error}\n")
        return 1
    return 0


def build(
    output: Path, python: Interpreter, engine: Engine, licence: bytes, *, certificate: Certificate | None = None
) -> dict[str, str]:
    """Build into the folder `output`, in place of what is there; the SHA-256 of each file.

    What an interpreter for tests is in gets no list, so that nothing publishes it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tree, draft = Path(scratch) / "strongroom-agent", Path(scratch) / "packages"
        draft.mkdir()
        windows.assemble(tree, python, engine, licence)
        if certificate:
            for program in ("strongroom-agent.exe", "python/on-path.exe"):
                certificate.sign(tree / program)
        bills = draft / f"strongroom-agent-{__version__}-windows-{windows.ARCHITECTURE}.cdx.json"
        bills.write_text(bill.bill(python, engine), encoding="utf-8")
        shutil.copy(bills, tree / "bill-of-materials.cdx.json")
        made = pack(tree, draft, certificate=certificate)
        facts = [_facts(kind, path, bills) for kind, path in made.items()]
        if not python.for_tests:
            (draft / FACTS).write_text(json.dumps(facts, indent=2) + "\n")
        for each in facts:
            sys.stdout.write(f"{each['file']}  {int(str(each['size'])) / 2**20:.1f} MiB  {each['sha256']}\n")
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, output)
    return {path.name: _digest(path) for path in sorted(output.iterdir())}


def pack(tree: Path, output: Path, *, certificate: Certificate | None = None, quick: bool = False) -> dict[str, Path]:
    """The installers of the folder by their kind, in the folder `output`; `quick` ones, for tests, are larger."""
    made = {}
    for kind, suffix in _BY.items():
        path = output / f"strongroom-agent-{__version__}-windows-{windows.ARCHITECTURE}.{suffix}"
        folder.about(tree, kind, windows.ARCHITECTURE)
        folder.settle(tree)
        if kind == "installer":
            exe.pack(tree, path, sign=certificate.command() if certificate else None, quick=quick)
        else:
            msi.pack(tree, path)
        if certificate:
            certificate.sign(path)
        made[kind] = path
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.agents.windows", description="Build the agent's installers for Windows."
    )
    for name, what in (
        ("interpreter", "Python's embeddable zip for amd64"),
        ("restic", "restic's release for windows_amd64"),
    ):
        parser.add_argument(f"--{name}", metavar="PATH-OR-ADDRESS", default="", help=f"{what}; else the pinned one")
        parser.add_argument(
            f"--{name}-sha256",
            metavar="DIGEST",
            default="",
            help="as its makers publish it, where it is not the pinned one",
        )
    parser.add_argument("--certificate", metavar="FILE", type=Path, help="PKCS #12, to sign with (osslsigncode)")
    parser.add_argument("--certificate-password-file", metavar="FILE", type=Path, help="the file with its password")
    parser.add_argument("--time-stamps", metavar="ADDRESS", default="", help="a server of time stamps (RFC 3161)")
    parser.add_argument("--twice", action="store_true", help="build all a second time, and fail where a byte differs")
    return parser


def _certificate(given: argparse.Namespace) -> Certificate | None:
    if given.certificate is None:
        if given.certificate_password_file or given.time_stamps:
            raise pins.NoInput("there is nothing to sign with. Give --certificate FILE as well.")
        return None
    if given.twice:
        raise pins.NoInput("signatures carry their time, so --twice does not go with --certificate.")
    for file in (given.certificate, given.certificate_password_file):
        if file is None or not file.is_file():
            raise pins.NoInput("--certificate and --certificate-password-file have to name files that are there.")
    return Certificate(given.certificate.resolve(), given.certificate_password_file.resolve(), given.time_stamps)


def _require_programs(*, sign: bool) -> None:
    needed = PROGRAMS | ({"osslsigncode": "osslsigncode"} if sign else {})
    if missing := [package for program, package in needed.items() if not shutil.which(program)]:
        raise pins.NoInput(f"programs are missing. Install them with:  apt-get install -y {' '.join(missing)}")


def _facts(kind: str, path: Path, bills: Path) -> dict[str, object]:
    return {
        "file": path.name,
        "kind": kind,
        "platform": "windows",
        "architecture": windows.ARCHITECTURE,
        "version": __version__,
        "size": path.stat().st_size,
        "sha256": _digest(path),
        "bill": bills.name,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(made: dict[str, str], again: dict[str, str]) -> None:
    if different := sorted(name for name in made.keys() | again.keys() if made.get(name) != again.get(name)):
        raise pins.NoInput(f"the second build differs in {', '.join(different)}.")
    sys.stdout.write(f"A second build gave the same bytes of {len(made)} files.\n")


if __name__ == "__main__":
    sys.exit(main())
