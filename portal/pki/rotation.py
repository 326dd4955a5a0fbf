"""Replacing the CAs while machines go on working, and sealing the keys anew. Each writes its audit entry first.

A rotation has two steps that people take, weeks apart. `rotate()` adds a generation: it is trusted at once beside the
one before, and issues to clients a minute later. `retire()` ends the trust in the one before.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import StaleState
from portal.core.extensions import Extensions
from portal.pki import authorities, keyring, ownership
from portal.pki.crypto import certificates
from portal.pki.keyring import Generation, Keyring, StoredCA

Holders = Callable[[str, datetime], str]
"""Given the CA for clients that is to go (PEM) and when it ceased to issue: who needs it still, as `3 machines`; empty
when nobody does."""
holders: Extensions[Holders] = Extensions()


def rotate(actor: Actor, *, with_root: bool) -> Generation:
    """Make new issuing CAs, and a new root above them if asked; the new generation.

    Raises StaleState while an earlier rotation is unfinished. The edge's files are not touched.
    """
    with keyring.changing():
        ring = authorities.load_keyring()
        if ring.previous is not None:
            raise StaleState(
                f"Generation {ring.previous.number} is still trusted beside {ring.current.number}.",
                remedy="Retire it first: manage.py pki retire.",
            )
        number, at = ring.current.number + 1, timezone.now()
        root = authorities.new_root(number, at) if with_root else authorities.authority(ring.current.root, "root")
        new = authorities.new_generation(number, at, root)
        entry = {"generation": number, "new_root": with_root, **_fingerprints(new)}
        _replace(replace(ring, current=new, previous=ring.current), Action.PKI_ROTATE, actor, entry)
    return new


def retire(actor: Actor, *, whoever_needs_it: bool = False) -> Generation:
    """End the trust in the generation before; it, whose keys are gone then.

    Raises StaleState when there is none, and when somebody still needs it, unless `whoever_needs_it`. The edge's files
    are not touched.
    """
    with keyring.changing():
        ring = authorities.load_keyring()
        if ring.previous is None:
            raise StaleState("No generation is waiting to be retired.", remedy="There is nothing to do.")
        needed_by = needing_previous(ring)
        if needed_by and not whoever_needs_it:
            raise StaleState(
                f"Generation {ring.previous.number} is still needed by {' and '.join(needed_by)}.",
                remedy="Wait until they have renewed, or give --now: they will have to be set up again.",
            )
        entry = {"generation": ring.previous.number, "needed_by": needed_by, **_fingerprints(ring.previous)}
        _replace(replace(ring, previous=None), Action.PKI_RETIRE, actor, entry)
    return ring.previous


def _replace(ring: Keyring, action: Action, actor: Actor, entry: Mapping[str, object]) -> None:
    """Store the keyring; the database's memory of its roots changes with the audit entry.

    Whoever dies between that and the renaming leaves a database that knows the current root of the file before, too.
    """

    def announce() -> None:
        with transaction.atomic():
            record(action, actor=actor, detail=entry)
            ownership.remember(ring)

    keyring.replace(ring, announce)


def reseal(actor: Actor) -> int:
    """Seal every key anew with STRONGROOM_SEAL_KEY; how many.

    What STRONGROOM_SEAL_KEY does not open, STRONGROOM_SEAL_KEY_OLD must: raises ImproperlyConfigured otherwise.
    """
    with keyring.changing():
        ring = authorities.load_keyring()
        resealed = replace(
            ring,
            signing=authorities.seal(authorities.signing_key(), "signing"),
            current=_resealed(ring.current),
            previous=None if ring.previous is None else _resealed(ring.previous),
        )
        count = 1 + 3 * len(ring.generations)
        keyring.replace(resealed, lambda: record(Action.PKI_RESEAL, actor=actor, detail={"keys": count}))
    return count


def needing_previous(ring: Keyring) -> list[str]:
    """Who still depends on the generation before, in words; empty when there is none, or it can be retired."""
    if ring.previous is None:
        return []
    issuer, ended = ring.previous.clients.certificate, ring.current.made_at + authorities.SETTLING
    return [words for count in holders if (words := count(issuer, ended))]


def _resealed(generation: Generation) -> Generation:
    return replace(
        generation,
        root=_sealed_anew(generation.root, "root"),
        edge=_sealed_anew(generation.edge, "edge"),
        clients=_sealed_anew(generation.clients, "clients"),
    )


def _sealed_anew(stored: StoredCA, name: str) -> StoredCA:
    return replace(stored, key=authorities.seal(authorities.authority(stored, name).key, name))


def _fingerprints(generation: Generation) -> dict[str, str]:
    """SHA-256 of the generation's certificates, by name."""
    cas = {"root": generation.root, "edge": generation.edge, "clients": generation.clients}
    return {name: certificates.fingerprint(authorities.certificate(ca)) for name, ca in cas.items()}
