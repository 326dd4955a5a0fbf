"""Seeded machines that can speak: with a key of their own and a certificate that the portal issued for it."""

import random

from django.utils import timezone

from agents.models import Machine, MachineCertificate
from agents.protocol.certificates import certify
from bench.handles import Signer, Storage
from portal.pki.crypto import keys


def among(known: list[Storage], number: int, dice: random.Random) -> list[Signer]:
    """`number` of the machines, drawn and taken out of `known`, each with a real certificate in place of the seeded."""
    dice.shuffle(known)
    chosen = [known.pop().serial for _ in range(min(number, len(known)))]
    seeded = MachineCertificate.objects.filter(serial__in=chosen)
    machines = [row.machine for row in seeded.select_related("machine").order_by("pk")]
    seeded.delete()
    return [_speaking(machine) for machine in machines]


def _speaking(machine: Machine) -> Signer:
    key = keys.new_key()
    certificate = certify(machine, key.public_key(), at=timezone.now())
    return Signer(keys.private_pem(key), certificate.certificate)
