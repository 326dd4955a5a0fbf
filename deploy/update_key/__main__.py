"""`python -m deploy.update_key new | public | sign | renew`: see docs/updating.md."""

import argparse
import sys
from pathlib import Path

from strongroom_agent.update.manifest import Release

from deploy.update_key import keys, release
from deploy.update_key.release import Given

DAYS = 90


def main(arguments: list[str] | None = None) -> int:
    """Do it and say what was done; 1 with the reason where it cannot be."""
    given = _parser().parse_args(arguments)
    try:
        sys.stdout.write(given.do(given))
    except (keys.KeyTrouble, release.ReleaseTrouble) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or given.command}: {error.strerror}.\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.update_key", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="make a private key, in a new file for you alone")
    new.add_argument("file", type=Path)
    _passphrase(new, "seal it with the passphrase in this file")
    new.set_defaults(do=_new)
    public = commands.add_parser("public", help="print the file with public keys that agents are built with")
    public.add_argument("keys", type=Path, nargs="+", metavar="KEY", help="one or two private keys")
    _passphrase(public, "what opens them, if they are sealed")
    public.set_defaults(do=_public)
    sign = commands.add_parser("sign", help="make a release of packages")
    sign.add_argument("output", type=Path, metavar="RELEASE", help="the new folder of the release")
    sign.add_argument("--built", type=Path, metavar="FOLDER", help="what make agents has built: build/agents/packages")
    sign.add_argument("--version", help="with --single-file: its version")
    sign.add_argument("--single-file", type=Path, metavar="FILE", help="the agent as one file, for Linux")
    sign.add_argument("--architecture", default="x86_64", help="with --single-file; default: %(default)s")
    _signing(sign)
    sign.set_defaults(do=_sign)
    renew = commands.add_parser("renew", help="sign a release again, so that it counts for longer")
    renew.add_argument("output", type=Path, metavar="RELEASE", help="its folder, or one with its release.json alone")
    _signing(renew)
    renew.set_defaults(do=_renew)
    return parser


def _signing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", type=Path, required=True, help="the private key to sign with")
    parser.add_argument("--days", type=_days, default=DAYS, help="how long it counts; default: %(default)s")
    _passphrase(parser, "what opens the key, if it is sealed")


def _passphrase(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help=text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to 400")
    return int(text)


def _secret(given: argparse.Namespace) -> bytes | None:
    """One newline at its end does not count."""
    if given.passphrase_file is None:
        return None
    secret: bytes = given.passphrase_file.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise keys.KeyTrouble(f"{given.passphrase_file} is empty.")
    return secret


def _new(given: argparse.Namespace) -> str:
    key = keys.make(given.file, _secret(given))
    return (
        f"{given.file} is a new private key, {keys.id_of(key)}. Keep it off the portal, with a copy in a safe place.\n"
    )


def _public(given: argparse.Namespace) -> str:
    secret = _secret(given)
    return keys.public([keys.load(path, secret) for path in given.keys])


def _sign(given: argparse.Namespace) -> str:
    packages: list[Given] = []
    version = given.version
    if given.built:
        version, packages = release.built(given.built)
        if given.version not in (None, version):
            raise release.ReleaseTrouble(f"{given.built} is version {version}, not {given.version}.")
    if given.single_file:
        if not version:
            raise release.ReleaseTrouble("Say the version of the single file: --version.")
        packages.append(Given("linux", given.architecture, "pex", given.single_file))
    if not packages:
        raise release.ReleaseTrouble("Say what the release consists of: --built FOLDER, --single-file FILE, or both.")
    key = keys.load(given.key, _secret(given))
    return _told(given.output, release.sign(given.output, version, packages, key, days=given.days))


def _renew(given: argparse.Namespace) -> str:
    key = keys.load(given.key, _secret(given))
    return _told(given.output, release.renew(given.output, key, days=given.days))


def _told(folder: Path, made: Release) -> str:
    return (
        f"{folder} is release {made.version}, serial {made.serial}, {len(made.files)} "
        f"{'file' if len(made.files) == 1 else 'files'}; it counts until {made.expires:%d %b %Y}. On the portal: "
        f"manage.py publish_release {folder}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
