"""The restore check: restore a snapshot to a scratch folder, prove its content, and compare it with the source."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from strongroom_agent.commands import backup
from strongroom_agent.commands.check_result import CheckResult
from strongroom_agent.core import times, trees
from strongroom_agent.core.output import progress
from strongroom_agent.core.paths import of_machine, pattern
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.restic import snapshots
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Contents, Listed
from strongroom_agent.state.session import Session

from . import comparing, damage, proven, restoring, sampling, selection
from .comparing import Measured, Proven, Tally
from .overlooked import overlooked
from .rate import Rate
from .sampling import DAILY, Budget, Sample
from .selection import Batch
from .watched import Watched

_SCRATCH = "restore-check-"
_PATH_LIMIT = 4096 - 1  # bytes; what is longer below the scratch folder is proven while it is read


def restore_check(session: Session, wanted: str, budget: Budget = DAILY) -> CheckResult:
    """One recorded restore check of a snapshot (its id, or `latest`) in the writable repository, of as much as the
    budget says."""
    return record(session, "restore_check", lambda: _check(session, wanted, budget))


def _check(session: Session, wanted: str, budget: Budget) -> CheckResult:
    cache = Path(session.settings.cache_dir)
    clear_scratch(cache)
    with fresh(session) as restic:
        found = snapshots.contents(restic, wanted)
        always = session.settings.options.always_prove
        sample = sampling.draw(found.files, proven.known(session.home), budget, always)
        result = _Check(session, restic, found, session.engine.recent).run(cache, sample)
    if result.unproven:
        damage.mark(session, f"{result.unproven[0]} cannot be restored as it was backed up.")
    return result


@contextlib.contextmanager
def fresh(session: Session) -> Iterator[Restic]:
    """restic on the writable repository with a cache of its own, empty at first: what is proven so was read from the
    storage, and not from copies that this machine still has."""
    with _scratch(Path(session.settings.cache_dir)) as folder:
        own = os.path.join(folder, "cache")
        os.mkdir(own, 0o700)
        yield Restic(replace(session.restic(session.primary).connection, cache_dir=own))


@dataclass
class _Check:
    """One check under way."""

    session: Session
    restic: Restic
    found: Contents
    recent: bool

    def run(self, cache: Path, sample: Sample) -> CheckResult:
        """Prove the files of the sample, and keep which of them were proven today."""
        snapshot, files, chosen = self.found.snapshot, self.found.files, sample.files
        progress(f"restore check: {len(chosen)} of {counted(len(files), 'file')}")
        watched = Watched(self.session.teller, len(chosen), sum(each.size for each in chosen))
        tally, rate, unproven = Tally(), Rate(), list[str]()
        room = _room(cache)
        fitting, streamed = selection.split(chosen, room)
        longest = _PATH_LIMIT - len(os.fsencode(cache)) - len(_SCRATCH) - 16
        streamed += [each for each in fitting if len(each.path.encode()) > longest]
        fitting = [each for each in fitting if len(each.path.encode()) <= longest]
        for batch in selection.batches(fitting, files, room):
            unproven += self._batch(batch, cache, tally, rate, watched)
            watched.proven(len(batch.files), sum(each.size for each in batch.files))
            progress(f"restore check: {tally.proven} of {counted(len(chosen), 'file')} proven")
        for each in streamed:
            self._stream(each, tally, rate)
            watched.proven(1, each.size)
        share = self._remember(chosen, tally)
        skip = backup.skip(self.session)
        tally.mismatched += overlooked(snapshot.paths, skip, files, snapshot.began_ns)
        left_out = len(files) - len(chosen)
        return CheckResult(snapshot, tally, share, unproven, left_out=left_out, rate=rate, sample=sample)

    def _remember(self, chosen: list[Listed], tally: Tally) -> proven.Share:
        """What was asked for and did not come back counts as never proven."""
        came = [each.file for each in tally.files]
        back = {id(each) for each in came}
        doubted = [each for each in chosen if id(each) not in back]
        day = proven.today(times.now())
        known = proven.note(self.session.home, self.found.files, came, doubted, day)
        return proven.share(self.found.files, known, day)

    def _batch(self, batch: Batch, cache: Path, tally: Tally, rate: Rate, watched: Watched) -> list[str]:
        """Restore and compare one batch; the files in it that are not proven."""
        with _scratch(cache) as folder:
            include = [pattern(path) for path in batch.include]
            done = restoring.restore(self.restic, self.found, include, folder, recent=self.recent, on_line=watched.line)
            if done.error is not None:
                raise done.error
            failed = {each.path: said for each in batch.files if (said := done.about(each.path)) is not None}
            before = tally.proven
            comparing.compare_tree(folder, batch.files, failed, self.found.snapshot.began_ns, tally)
            rate.add([each.file for each in tally.files[before:]], done.seconds)
            return list(failed)

    def _stream(self, listed: Listed, tally: Tally, rate: Rate) -> None:
        """A file that the scratch folder cannot take is proven and compared as it comes, without storing it: restic
        compares each block with its hash before it gives it out."""
        source = of_machine(listed.path.lstrip("/"))
        with self.restic.stream("dump", self.found.snapshot.id, listed.path) as copy:
            read = Measured(copy)
            comparing.compare_stream(read, source, listed, self.found.snapshot.began_ns, tally)
            sha256 = read.to_end()
        if read.size == listed.size:
            tally.files.append(Proven(listed, sha256))
            rate.add([listed], read.seconds)
        elif source not in tally.mismatched:
            tally.mismatched.append(source)


def _room(cache: Path) -> int:
    """How many bytes may be restored at a time: half of what the cache folder has free."""
    return shutil.disk_usage(cache).free // 2


@contextlib.contextmanager
def _scratch(cache: Path) -> Iterator[str]:
    """A folder of our own in the cache folder, gone afterwards."""
    folder = tempfile.mkdtemp(prefix=_SCRATCH, dir=cache)
    try:
        yield folder
    finally:
        trees.remove(folder)


def clear_scratch(cache: Path) -> None:
    """Remove what a check that was killed has left behind."""
    for left in cache.glob(f"{_SCRATCH}*"):
        trees.remove(str(left))
