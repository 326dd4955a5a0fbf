"""The database and the keyring belong together: a second host that comes without the keyring is turned away.

Otherwise it would make CAs of its own beside the first one's, and each host would refuse the other's machines.
"""

from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.models import KnownRoot
from portal.pki import authorities, keyring
from portal.pki.crypto import certificates
from portal.pki.keyring import Generation, Keyring


def require() -> None:
    """Raise ImproperlyConfigured when the database belongs to a root that the data folder does not have.

    Call it before the first keyring is made. A database that belongs to none yet takes any.
    """
    known = set(KnownRoot.objects.values_list("fingerprint", flat=True))
    ring = keyring.read()
    if not known or (ring is not None and fingerprint(ring.current) in known):
        return
    has = f"has another, {fingerprint(ring.current)[:16]}…" if ring else "has none"
    names = ", ".join(f"{each[:16]}…" for each in sorted(known))
    raise ImproperlyConfigured(
        f"The database belongs to the root {names}, and this data folder {has}. Copy the folder pki, with its sealing"
        " key, from the host that has it, or point DATABASE_URL at another database. If that root is lost for good:"
        " manage.py prepare_pki --another-root; every machine then has to be set up again."
    )


def remember(ring: Keyring) -> None:
    """The database belongs to the roots of `ring` from now on, and to no others. Call it in a transaction."""
    KnownRoot.objects.exclude(generation__in=[generation.number for generation in ring.generations]).delete()
    for generation in ring.generations:
        root = {"fingerprint": fingerprint(generation)}
        KnownRoot.objects.update_or_create(generation=generation.number, defaults=root)


def begin(ring: Keyring) -> None:
    """The database belongs to the roots of `ring`, unless it belongs to others: raises ImproperlyConfigured then."""
    with suppress(IntegrityError), transaction.atomic():  # another host may begin in this moment
        if not KnownRoot.objects.exists():
            for generation in ring.generations:
                KnownRoot.objects.create(generation=generation.number, fingerprint=fingerprint(generation))
    require()


def start_anew(actor: Actor) -> None:
    """Let the database belong to whatever root the data folder has, or will make; audited."""
    with transaction.atomic():
        known = sorted(KnownRoot.objects.values_list("fingerprint", flat=True))
        KnownRoot.objects.all().delete()
        record(Action.PKI_ANOTHER_ROOT, actor=actor, detail={"before": known})


def fingerprint(generation: Generation) -> str:
    """SHA-256 of the generation's root."""
    return certificates.fingerprint(authorities.certificate(generation.root))
