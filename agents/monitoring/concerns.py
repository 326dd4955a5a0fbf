"""Why somebody must look at a machine: what its newest runs ended with, and what is known of what it has stored."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from agents.models import Machine, Run
from agents.monitoring import lateness, restore_time
from agents.states import ALLOWED_IN, CONCERNS, OUT, Concern, MachineState
from portal.core.states import StateDisplay
from vaults.models import LostObject

JUDGED: dict[str, Concern] = {
    Run.Kind.BACKUP: Concern.BACKUP_FAILED,
    Run.Kind.CHECK: Concern.CHECK_FAILED,
    Run.Kind.RESTORE_CHECK: Concern.RESTORE_CHECK_FAILED,
    Run.Kind.REPAIR: Concern.DAMAGED,
}
"""The kinds of runs of which the newest counts, and what its failure is."""
LOOKING = (Run.Kind.CHECK, Run.Kind.RESTORE_CHECK)
PREVENTED = frozenset(
    {
        *("passphrase_missing", "passphrase_unreadable", "passphrase_wrong", "state_damaged", "clock_skew"),
        *("network", "unavailable", "not_allowed", "repository_locked"),
        *(
            "cache_unusable",
            "home_unusable",
            "file_unusable",
            "disk_full",
            "no_room",
            "engine_missing",
            "engine_too_old",
        ),
        *("interrupted", "internal", "limit_too_low", "quota_full"),
    }
)
"""Failures of a check, by their codes, that say nothing of what is stored: it did not get as far as looking."""
INCOMPLETE = "repair_incomplete"
"""The one failure of a repair that tells of the repository; others, such as a network that is away, only of the run."""
_CODES = {
    "done_with_losses": Concern.LOSSES,
    "done_on_damaged": Concern.DAMAGED,
    "done_after_failed": Concern.AFTER_FAILED,
}
WITHOUT_NAMED = "done_without_named"
"""The code of a restore check that has proven files, and not all of those that somebody named."""
_WORST_FIRST = list(Concern)
_REMEDIES: dict[str, str] = {
    Concern.DAMAGED: "The next strongroom-agent backup stores again what is still on the machine; strongroom-agent"
    " repair does so at once. The warning ends when strongroom-agent check finds nothing missing.",
    Concern.LOSSES: "Check these folders: a mount may be missing. Their files are in earlier snapshots and can be "
    "restored with strongroom-agent restore. The warning ends with the next backup that finds "
    "nothing lost.",
    Concern.BACKUP_FAILED: "Fix what the message says and run strongroom-agent backup on the machine.",
    Concern.AFTER_FAILED: "The backup itself is made. Run that command by hand on the machine to see why it fails; "
    "strongroom-agent schedule --after sets another. The warning ends with the next backup after which it succeeds.",
    Concern.CHECK_FAILED: "Run strongroom-agent repair on the machine, then strongroom-agent check.",
    Concern.RESTORE_CHECK_FAILED: "Run strongroom-agent check on the machine. If it fails again, run strongroom-agent"
    " repair.",
    Concern.NAMED_MISSING: "Bring the file back, or protect the folder that has it, and run strongroom-agent backup on "
    "the machine. If it is gone for good, say with strongroom-agent schedule --always-prove which files are to be "
    "proven. The warning ends with the next restore check that finds all of them.",
}
REPAIRED_IN_VAIN = (
    "The last repair could not bring everything back, and its message says what is left to do. The warning ends when "
    "strongroom-agent check finds nothing missing."
)
PREVENTED_REMEDY = (
    "This says nothing about what is stored. Do what the message says, then run strongroom-agent check on the machine."
)
KNOWN_DAMAGE = "Objects of its repository are set aside or missing in every region."


@dataclass(frozen=True)
class Reason:
    """One reason: how it is shown, the run that told of it (none for damage that the portal found), what to do."""

    look: StateDisplay
    text: str
    remedy: str
    run: Run | None = None


def of_run(run: Run) -> Concern | None:
    """What the run is a reason for, as long as it is the newest of its kind."""
    if run.kind not in JUDGED or (run.kind == Run.Kind.REPAIR and run.code != INCOMPLETE):
        return None
    if run.kind == Run.Kind.BACKUP and run.code in _CODES:
        return _CODES[run.code]
    if run.kind == Run.Kind.RESTORE_CHECK and run.code == WITHOUT_NAMED and not run.failed:
        return Concern.NAMED_MISSING
    return JUDGED[run.kind] if run.failed else None


def conclusive() -> Q:
    """Of runs: those that say something of what is stored, and not only of themselves.

    A check that was kept from looking does not, nor does a repair that came to nothing.
    """
    prevented = Q(kind__in=LOOKING, outcome=Run.Outcome.FAILED, code__in=PREVENTED)
    fruitless = Q(kind=Run.Kind.REPAIR, outcome=Run.Outcome.FAILED) & ~Q(code=INCOMPLETE)
    return ~prevented & ~fruitless


def is_prevented(run: Run) -> bool:
    """Whether a check was kept from looking, for a reason that lies with the machine."""
    return run.kind in LOOKING and run.failed and run.code in PREVENTED


def newest_of(machine: Machine, kind: str, which: Q | None = None) -> Run | None:
    """The newest run of that kind that counts for the computer that is the machine now; one indexed query.

    Of the computers before it that is what says something of the repository, which is the same as before: what their
    checks and repairs found. Their backups told of folders and troubles that are gone with them.
    """
    runs = machine.runs.filter(which or Q(), kind=kind)
    if machine.replaced_at:
        since = Q(finished_at__gte=machine.replaced_at)
        runs = runs.filter(since if kind == Run.Kind.BACKUP else since | conclusive())
    return runs.order_by("-finished_at", "-id").first()


def worst(concerns: Iterable[Concern | None]) -> str:
    """The worst of them; empty when there is none."""
    return min((one for one in concerns if one), key=_WORST_FIRST.index, default="")


def of_reports(machine: Machine) -> str:
    """The worst that its runs are a reason for; empty when none is."""
    return worst(concern for concern, _ in current_concerns(machine))


def current_concerns(machine: Machine) -> list[tuple[Concern, Run]]:
    """What its runs are a reason for, the worst first; a query for each kind that is judged, two where that is vague.

    And one more where another computer has taken its place. Of each kind the newest run that says something counts, and
    a newer check that was kept from looking beside it: so what was found is not forgotten because somebody could not
    look again.
    """
    runs = [run for kind in JUDGED for run in _counting(machine, kind)] + _damage_before(machine)
    settling = [*runs, *_passed(machine, runs)]
    found = [
        (concern, run)
        for run in runs
        if (concern := of_run(run)) and not any(_settles(other, run) for other in settling if other is not run)
    ]
    return sorted(found, key=lambda pair: _WORST_FIRST.index(pair[0]))


def _counting(machine: Machine, kind: str) -> list[Run]:
    newest = newest_of(machine, kind)
    if newest is None:
        return []
    fruitless = kind == Run.Kind.REPAIR and newest.failed and newest.code != INCOMPLETE
    if not is_prevented(newest) and not fruitless:
        return [newest]
    conclusion = newest_of(machine, kind, conclusive())
    return [newest, *([conclusion] if conclusion else [])]


def _passed(machine: Machine, runs: list[Run]) -> list[Run]:
    """The newest check that passed, where a newer one has failed: what was damaged before it was over by then, and the
    newer one tells of something else."""
    failed = any(run.kind == Run.Kind.CHECK and run.failed for run in runs)
    if not failed or all(of_run(run) != Concern.DAMAGED for run in runs):
        return []
    passed = newest_of(machine, Run.Kind.CHECK, Q(outcome=Run.Outcome.SUCCEEDED))
    return [passed] if passed else []


def _damage_before(machine: Machine) -> list[Run]:
    """The newest backup of an earlier computer that told of damage.

    Only a check ends that: the computer that is the machine now has not heard of it, and its backups end as usual.
    """
    if machine.replaced_at is None:
        return []
    told = machine.runs.filter(kind=Run.Kind.BACKUP, code="done_on_damaged", finished_at__lt=machine.replaced_at)
    newest = told.order_by("-finished_at", "-id").first()
    return [newest] if newest else []


def _settles(run: Run, earlier: Run) -> bool:
    """Whether `earlier` told of something that is over, since `run` went well and began after it.

    A check that misses nothing ends damage. Any run ends what a check could not say, as without passphrase or network.
    """
    if run.failed or run.started_at < earlier.finished_at:
        return False
    return is_prevented(earlier) or (run.kind == Run.Kind.CHECK and of_run(earlier) == Concern.DAMAGED)


def with_damage(machines: QuerySet[Machine]) -> QuerySet[Machine]:
    """The machines, each with `damaged`: whether objects are known to be set aside or missing in every region."""
    return machines.annotate(damaged=Exists(LostObject.objects.filter(machine_id=OuterRef("pk"))))


def needs_attention() -> Q:
    """Of machines `with_damage()`: those that somebody must look at, at the moment in which the database is asked."""
    late = Q(late_from__lte=Now(), state__in=ALLOWED_IN)
    unproven = Q(unproven_from__lte=Now(), state=MachineState.READY)
    slow = Q(restore_slow=True, state__in=ALLOWED_IN)
    return ~Q(state__in=OUT) & (~Q(concern="") | Q(damaged=True) | late | unproven | slow)


def reasons_of(machine: Machine) -> list[Reason]:
    """Each reason, the worst first, with what to do, for a machine `with_damage()`; a query for each kind judged."""
    if machine.attention is None:
        return []
    found = current_concerns(machine)
    in_vain = any(run.kind == Run.Kind.REPAIR for _, run in found)
    reasons = [
        Reason(CONCERNS[concern], run.description, _remedy(concern, run, in_vain=in_vain), run)
        for concern, run in found
    ]
    damaged: bool = machine.damaged  # type: ignore[attr-defined]  # added by with_damage()
    if damaged and all(concern != Concern.DAMAGED for concern, _ in found):
        remedy = REPAIRED_IN_VAIN if in_vain else _REMEDIES[Concern.DAMAGED]
        reasons.insert(0, Reason(CONCERNS[Concern.DAMAGED], KNOWN_DAMAGE, remedy))
    if late := machine.lateness:
        reasons.insert(0, Reason(late, lateness.described(machine), lateness.REMEDY))
    if unproven := machine.unproven:
        reasons.append(Reason(unproven, restore_time.unproven_described(machine), restore_time.UNPROVEN_REMEDY))
    if slow := machine.slow:
        reasons.append(Reason(slow, restore_time.slow_described(machine), restore_time.SLOW_REMEDY))
    return reasons


def _remedy(concern: Concern, run: Run, *, in_vain: bool) -> str:
    """`in_vain` says that the newest repair could not bring everything back."""
    if is_prevented(run):
        return PREVENTED_REMEDY
    repairable = concern in (Concern.DAMAGED, Concern.CHECK_FAILED, Concern.RESTORE_CHECK_FAILED)
    return REPAIRED_IN_VAIN if in_vain and repairable else _REMEDIES[concern]


def title_of(concern: str, machine: str, vault: str) -> str:
    """The heading of what people are told when this becomes a reason."""
    label = CONCERNS[concern].label
    return f'Machine "{machine}" of vault "{vault}" needs attention: {label[0].lower()}{label[1:]}.'
