"""Running `restic restore`, and what its end is worth."""

from dataclasses import dataclass

from .errors import AgentError
from .item_complaints import Complaints
from .restic import ANY, Restic
from .restic_errors import explain
from .snapshots import Contents


@dataclass(frozen=True)
class Attempt:
    """What one restore has left unproven. With an `error` restic gave up or was not understood: nothing is proven."""

    failed: dict[str, str]  # path in the snapshot: what restic said about it
    attributes: dict[str, str]  # the content is proven, but not all of owner, mode, times, attributes is set
    error: AgentError | None = None

    def about(self, path: str) -> str | None:
        """Why a file is not proven, for its own sake or because a folder above it failed; None if nothing was said."""
        while path:
            if path in self.failed:
                return self.failed[path]
            path = path.rpartition("/")[0]
        return self.failed.get("/")


def restore(restic: Restic, found: Contents, include: list[str], folder: str, *, recent: bool) -> Attempt:
    """Restore a snapshot, or only what the patterns in `include` say, below a folder.

    restic reads each file that it wrote once more and compares it with the hashes that the snapshot recorded. An older
    one must be given a folder without any of it, since it writes through links.
    """
    arguments = ["restore", found.snapshot.id, "--target", folder, "--verify"]
    if recent:
        arguments += ["--json", "--sparse", "--overwrite", "always"]
    for each in include:
        arguments += ["--include", each]
    known = {"/", *(each.path for each in found.files), *(each.path for each in found.others)}
    heard = Complaints(known, folder)
    ended = restic.run(*arguments, on_complaint=heard.take, accept=ANY)
    if heard.certain(ended.status):
        return Attempt(heard.failed, heard.attributes)
    error = explain("restore", ended.status, ended.complaints)
    if heard.unclear and error.code == "engine_failed":
        error = AgentError("engine_failed", f"restic restore: {heard.unclear[:400]}.", error.remedy)
    return Attempt(heard.failed, heard.attributes, error)
