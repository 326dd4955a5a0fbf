"""Limits that the calling shell has set for its programs (ulimit)."""

import sys

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import readable

_FILES = 4096  # as many as we open at most, restic included, with much to spare
_FILE_SIZE = 256 << 20  # restic's packs and indexes, with much to spare


def lift() -> None:
    """Take as much as the system allows. AgentError `limit_too_low` when that is too little to work with."""
    if sys.platform == "win32":
        return
    import resource

    for kind, wanted in ((resource.RLIMIT_NOFILE, _FILES), (resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)):
        soft, hard = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or soft < wanted):
            resource.setrlimit(kind, (hard, hard))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _FILE_SIZE:
        raise AgentError(
            "limit_too_low",
            f"This user may write files of at most {readable(allowed)} here (ulimit -f); the backup program needs "
            f"{readable(_FILE_SIZE)}.",
            "Raise the limit, or run the agent where there is none.",
        )
