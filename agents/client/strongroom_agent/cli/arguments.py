"""The command line: what there is, and errors that keep the JSON contract."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from strongroom_agent import __version__
from strongroom_agent.core.errors import AgentError, usage

from . import answers, schedule_arguments

UNATTENDED = (
    "strongroom-agent setup --unattended --credentials FILE.VaultCredentials --install-dir DIR "
    "--cache-dir DIR --protect PATH (--passphrase-file FILE | --generate-passphrase "
    "--save-passphrase-to FILE)"
)


class Parser(argparse.ArgumentParser):
    """Raises instead of printing and exiting, so that the caller decides how errors look."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse what is not known at once, where it stands: before it is missed what it may have been meant for, and
        with the help of its own command."""
        try:
            given, unknown = super().parse_known_args(args, namespace)
        except AgentError as error:
            if unknown := self._unknown(args):
                self._refuse(unknown, error)
            raise
        if unknown:
            self._refuse(unknown)
        return given, unknown

    def _unknown(self, args: Sequence[str] | None) -> list[str]:
        """What is not known of arguments that lack some others; nothing where those that are known are wrong."""
        required = [action for action in self._actions if action.required]
        try:
            for action in required:
                action.required = False
            return super().parse_known_args(args)[1]
        except AgentError:
            return []
        finally:
            for action in required:
                action.required = True

    def _refuse(self, unknown: list[str], missed: AgentError | None = None) -> NoReturn:
        raise self._wrong(f"unrecognized arguments: {' '.join(unknown)}") from missed

    def error(self, message: str) -> NoReturn:
        raise self._wrong(message)

    def _wrong(self, message: str) -> AgentError:
        command = self.prog.removeprefix("strongroom-agent").strip()
        return usage(f"{command}: {message}." if command else f"{message}.", f"See {self.prog} --help.")


def filled(text: str) -> str:
    """What was given, if it was: an empty variable of a script would otherwise mean the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def build() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="strongroom-agent",
        description="Backs up this machine to its Strongroom vault, and restores it.",
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 network.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_setup(commands)
    backup = _add(commands, "backup", "make a backup now")
    backup.add_argument(
        "--accept-losses", action="store_true", help="what protected folders have lost is gone for good"
    )
    backup.add_argument(
        "--scheduled", action="store_true", help="what timers start every hour: a backup when one is due, with all else"
    )
    restore = _add(commands, "restore", "get files back from a backup")
    restore.add_argument("--target", required=True, type=filled, metavar="DIR", help="folder to restore to")
    restore.add_argument("--snapshot", default="latest", metavar="ID", help="default: the newest")
    restore.add_argument(
        "--include", action="append", type=filled, default=[], metavar="PATH", help="only this file or folder"
    )
    restore.add_argument("--overwrite", action="store_true", help="replace what differs in a folder that is not empty")
    snapshots = _add(commands, "snapshots", "list the backups of this machine")
    for each, done in ((restore, "read from the other, file by file"), (snapshots, "listed from the other")):
        lacking = f"default: what the first region lacks is {done}"
        each.add_argument("--region", metavar="NAME", help=f"of this region alone; {lacking}")
    _add(commands, "check", "check the repository, then restore and compare the newest backup")
    _add(commands, "repair", "bring damaged backups back as far as possible, and say what is lost")
    retain = _add(commands, "retain", "delete the snapshots that the vault's retention policy does not keep")
    retain.add_argument("--dry-run", action="store_true", help="only say which they are")
    _add(commands, "status", "what this machine knows, and what the portal says about it")
    doctor = _add(commands, "doctor", "find what is wrong between this machine and a backup")
    doctor.add_argument("--bundle", type=filled, metavar="FILE", help="write what support needs, without secrets (zip)")
    schedule_arguments.add_schedule(_add(commands, "schedule", "when this machine backs itself up, and how"))
    receipts = _add(commands, "receipts", "write what this machine has signed about its backups and checks")
    receipts.add_argument("--to", required=True, type=filled, metavar="DIR", help="a new folder, or one with receipts")
    update = _add(commands, "update", "take a newer version of this program, where the portal has one for this machine")
    update.add_argument("--check", action="store_true", help="only say whether there is one")
    _add(commands, "renew", "renew this machine's certificate now")
    unregister = _add(commands, "unregister", "take this machine out of its vault")
    unregister.add_argument("--forget", action="store_true", help="delete the keys here even if the portal says no")
    return parser


def _add(commands: "argparse._SubParsersAction[Parser]", name: str, text: str) -> Parser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _add_setup(commands: "argparse._SubParsersAction[Parser]") -> None:
    setup = _add(commands, "setup", "register this machine, back it up and restore it")
    setup.epilog = (
        "Without --unattended it asks for what is missing. Each flag, but for those of a code and those about how "
        f"backups are made, can be given in the environment as well ({answers.PREFIX}CACHE_DIR for --cache-dir), and "
        "in the file of --answers (cache-dir: DIR)."
    )
    _add_setup_flags(setup)
    _add_code_flags(setup)
    schedule_arguments.add_options(setup)


def setup_flags() -> list[answers.Flag]:
    """The flags of `setup` that have a variable and a key in the file of answers each: all but those of a code, and
    the options of backups, which `schedule` takes as well."""
    parser = Parser()
    _add_setup_flags(parser)
    return answers.flags(parser._actions)


def _add_code_flags(setup: Parser) -> None:
    """What the line of the Quick Start page says; good for ten minutes, so there is no other place for it."""
    setup.add_argument("--code", type=filled, metavar="CODE", help="one-time code instead of the file; - asks for it")
    setup.add_argument("--edge", type=filled, metavar="URL", help="with --code: where machines reach Strongroom")
    setup.add_argument("--ca-sha256", type=filled, metavar="HEX", help="with --code: SHA-256 of its root certificate")
    setup.add_argument("--vault", type=filled, metavar="ID", help="with --code: the vault that it is for")
    setup.add_argument(
        "--once", action="store_true", default=None, help="change nothing where setup was done; so with --code"
    )


def _add_setup_flags(setup: Parser) -> None:
    """What is not given is None, so that other places can be asked for it."""
    setup.add_argument("--unattended", action="store_true", default=None, help="ask nothing")
    setup.add_argument(
        "--answers", type=filled, metavar="FILE", help="YAML with a value for each flag, as cache-dir: DIR"
    )
    setup.add_argument("--credentials", metavar="FILE", help="the .VaultCredentials file")
    setup.add_argument("--install-dir", metavar="DIR", help="where the program is to stay")
    setup.add_argument("--cache-dir", metavar="DIR", help="local; 5 %% of the data must fit")
    setup.add_argument("--protect", action="append", type=filled, metavar="PATH", help="what to back up")
    setup.add_argument(
        "--include-network",
        action="store_true",
        default=None,
        help="also what network drives mounted inside --protect hold",
    )
    source = setup.add_mutually_exclusive_group()
    source.add_argument("--passphrase-file", metavar="FILE", help="at least 16 characters")
    source.add_argument("--generate-passphrase", action="store_true", default=None, help="make one of 150 random bits")
    setup.add_argument("--save-passphrase-to", metavar="FILE", help="a new file")
    setup.add_argument("--proxy", metavar="URL", help="an http or https proxy; default: none")
    setup.add_argument("--proxy-user", metavar="USER", help="who signs in to the proxy")
    setup.add_argument("--proxy-password-file", metavar="FILE", help="the proxy's password")
    setup.add_argument("--name", metavar="MACHINE", help="default: the name of this host")
    setup.add_argument(
        "--no-schedule", action="store_true", default=None, help="backups are made only when somebody starts them"
    )
    setup.add_argument("--no-link", action="store_true", default=None, help="do not put the program on the PATH")


def check_setup(given: argparse.Namespace) -> None:
    """What argparse cannot say about `setup`. AgentError `usage` for answers that lack something, or do not fit."""
    if given.passphrase_file and (given.generate_passphrase or given.save_passphrase_to):
        raise usage("--passphrase-file does not go with --generate-passphrase and --save-passphrase-to.")
    if given.proxy_password_file and not (given.proxy and given.proxy_user):
        raise usage("--proxy-password-file needs --proxy URL and --proxy-user USER.")
    if given.proxy_user and not given.proxy:
        raise usage("--proxy-user needs --proxy URL.")
    if given.code and given.credentials:
        raise usage("--code and --credentials do not go together.", "Give the one that you have.")
    if not given.code and (given.edge or given.ca_sha256 or given.vault):
        raise usage("--edge, --ca-sha256 and --vault go with --code.")
    if given.unattended:
        _check_complete(given)
    elif given.once:
        raise usage("--once goes with --unattended.", "Copy the whole line from the vault's Quick Start page.")


def _check_complete(given: argparse.Namespace) -> None:
    """Where nothing is asked, all must be there."""
    names = {} if given.code else {"--credentials": "credentials"}
    names |= {"--install-dir": "install_dir"}
    names |= {"--cache-dir": "cache_dir", "--protect": "protect"}
    lacking = [flag for flag, name in names.items() if not getattr(given, name)]
    if lacking:
        whole = "Copy the whole line from the vault's Quick Start page." if given.code else f"Run: {UNATTENDED}"
        raise usage(f"setup --unattended needs {', '.join(lacking)}.", whole)
    if not given.passphrase_file and not given.generate_passphrase:
        raise usage(
            "setup needs a passphrase.",
            "Give --passphrase-file FILE, or --generate-passphrase --save-passphrase-to FILE.",
        )
    if bool(given.generate_passphrase) != (given.save_passphrase_to is not None):
        raise usage("--generate-passphrase and --save-passphrase-to FILE go together.")
