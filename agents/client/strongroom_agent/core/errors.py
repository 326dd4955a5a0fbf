"""What can go wrong, as one exception: a code for programs, a message and a remedy for people."""

import errno
from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of the program; they are part of its contract."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NETWORK = 4


READ_ONLY_REMEDY = (
    "Its disk is mounted read-only, which the system does by itself after a fault of the disk: see why, mount it for "
    "writing again, then try again."
)
QUOTA_REMEDY = (
    "The quota of this user on that disk is used up: free some space there or have it raised, then try again."
)
REFUSALS = frozenset(
    {
        "credential_expired",
        "credential_superseded",
        "credential_used_up",
        "credential_invalid",
        "credential_without_key",
        "credential_unreadable",
        "vault_not_active",
        "machine_exists",
        "clock_skew",
        "code_ended",
        "code_expired",
        "code_invalid",
        "code_issuer_left",
        "code_used",
    }
)
_STATUS_OF_CODE = {"usage": Exit.USAGE, "network": Exit.NETWORK}


class AgentError(Exception):
    """A failure that is told to the user.

    `problem` says what is wrong and `remedy` what to do about it; `message` is both, so that it can
    stand alone. `details` become further fields of the JSON answer.
    """

    def __init__(self, code: str, problem: str, remedy: str = "", **details: object) -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.details = details
        self.complaints: list[str] = []  # the lines of restic's that led to it, if any
        self.before_the_run = False  # nothing was begun: what was asked for cannot be, which is no failed run

    @property
    def message(self) -> str:
        """The whole message, remedy included."""
        return str(self)

    @property
    def exit_status(self) -> Exit:
        """3 for the refusals of the contract, 2 and 4 for usage and network, otherwise 1."""
        if self.code in REFUSALS:
            return Exit.REFUSED
        return _STATUS_OF_CODE.get(self.code, Exit.FAILED)


class Refused(AgentError):
    """The portal said no; its words are passed on as they are."""

    def __init__(self, code: str, detail: str, remedy: str, **details: object) -> None:
        super().__init__(code, detail, "", **details)
        self.remedy = remedy


def why(error: OSError) -> str:
    """What the system says, for the middle of a sentence."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "there is a file where a folder is needed"
    return error.strerror or type(error).__name__


def remedy_for(error: OSError, otherwise: str) -> str:
    """What to do about a disk that takes nothing, whoever asks it to; `otherwise` for all else, as permissions."""
    if error.errno == errno.EROFS:
        return READ_ONLY_REMEDY
    if error.errno == errno.ENOSPC:
        return "Free some space there, then try again."
    return QUOTA_REMEDY if error.errno == errno.EDQUOT else otherwise


def usage(problem: str, remedy: str = "See strongroom-agent --help.") -> AgentError:
    """The error for a command line that cannot be carried out."""
    return AgentError("usage", problem, remedy)
