"""Reading, storing and giving out the receipts of machines.

A receipt says what a machine has said, and that it cannot unsay it. It is taken with the report of its run, in the
message of a machine that counts, and only when it says the same as that report.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from agents.models import Machine, MachineCertificate, Receipt, Run
from agents.protocol.authentication import Sender
from agents.protocol.messages import FIGURES, Report
from portal.core.digests import canonical
from portal.core.errors import Invalid
from portal.pki import authorities, jws
from portal.pki.crypto import certificates
from portal.pki.crypto.certificates import Kind
from portal.pki.crypto.errors import Unacceptable

TYPE = "strongroom-receipt+jws"
FORMAT = "strongroom-receipt/1"
KINDS = frozenset({Run.Kind.BACKUP, Run.Kind.CHECK, Run.Kind.RESTORE_CHECK})
_TOLD = ("run", "kind", "outcome", "code", "snapshot", "started_at", "finished_at")
"""What a receipt and the report of its run say in the same words; what the report leaves out is empty."""


@dataclass(frozen=True)
class VerifiedReceipt:
    """A receipt that this machine has signed about the run that it reports, and what its certificate counts for."""

    compact: str
    signer: str


def verified(sender: Sender, told: Report, at: datetime) -> VerifiedReceipt | None:
    """The receipt in a report, None where there is none. Raises Invalid unless this machine signed it about this run.

    The chain is checked as of a moment when its leaf was valid, since a receipt may have waited for days. That the
    certificate has been renewed or revoked since is kept with it, and no reason to refuse what was signed.
    """
    if told.receipt is None:
        return None
    if told.kind not in KINDS:
        raise _wrong("Runs of this kind have none.")
    try:
        message = jws.read(told.receipt.encode(), TYPE)
        leaf = message.unverified_chain[0]
        moment = max(min(at, leaf.not_valid_after_utc), leaf.not_valid_before_utc)
        authorities.require_client_chain(message.unverified_chain, at=moment)
        profile = certificates.profile_of(leaf)
    except (jws.Malformed, Unacceptable) as error:
        raise _wrong(str(error)) from error
    if (profile.kind, profile.id) != (Kind.MACHINE, sender.machine.pk):
        raise _wrong("It was not signed by this machine.")
    row = sender.machine.certificates.filter(fingerprint=certificates.fingerprint(leaf)).first()
    if row is None:
        raise _wrong("It was not signed by a certificate that this machine has, or had lately.")
    _require_agreement(message, sender)
    return VerifiedReceipt(told.receipt, _signer(row))


def store(run: Run, receipt: VerifiedReceipt | None) -> None:
    """Keep it with its run, in the transaction of the report."""
    if receipt is not None:
        Receipt.objects.create(run=run, compact=receipt.compact, signer=receipt.signer)


def of_run(machine: Machine, run_id: UUID) -> Receipt | None:
    """The receipt of one of the machine's runs, with the run."""
    return Receipt.objects.select_related("run").filter(run=run_id, run__machine=machine).first()


def file_name(machine: Machine, run: Run) -> str:
    """A name that is good for every file system."""
    return f"receipt_{machine.name}_{run.kind}_{run.finished_at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}.jws"


def _require_agreement(message: jws.Message, sender: Sender) -> None:
    said, report = message.payload, sender.signed.fields
    try:
        is_canonical = canonical(said) == message.raw
    except ValueError:
        is_canonical = False
    if not is_canonical or said.get("format") != FORMAT:
        raise _wrong("It is not a receipt in canonical JSON.")
    whose = [one.get("id") if isinstance(one := said.get(name), dict) else None for name in ("machine", "vault")]
    if whose != [str(sender.machine.pk), str(sender.machine.vault_id)]:
        raise _wrong("It is about another machine or vault.")
    figures = said.get("figures")
    numbers = figures if isinstance(figures, dict) else {}
    differs = [name for name in _TOLD if said.get(name) != report.get(name, "")]
    differs += [name for name in FIGURES if numbers.get(name) != report.get(name)]
    if differs:
        raise _wrong(f"It does not say the same as the report: {', '.join(differs)}.")


def _signer(row: MachineCertificate) -> str:
    if row.revoked_at is not None:
        return Receipt.Signer.REVOKED
    return Receipt.Signer.EARLIER if row.superseded_at is not None else Receipt.Signer.NEWEST


def _wrong(why: str) -> Invalid:
    return Invalid({"receipt": [why]})
