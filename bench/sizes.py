"""How much the bench does: the sizes of the targets, and a short form that says that it is short."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What a run seeds and how often it asks. Rounds are what medians are taken of."""

    name: str
    vaults: int
    subscriptions: int
    few_vaults: int  # the small estate, the yardstick of flatness
    few_subscriptions: int
    audit_entries: int
    few_audit_entries: int
    machines: int
    machines_in_vault: int
    viewers: int
    rounds: int
    requests: int  # page requests in a round
    small_requests: int  # requests in a round where one costs a fraction of a millisecond
    approvals: int
    sightings: int
    backup_files: int
    backup_bytes: int
    backup_rounds: int
    nightly_files: int
    nightly_bytes: int
    package_bytes: int
    starts: int
    idle_seconds: int
    paste_bytes: int
    pastes: int


FULL = Sizes(
    name="full",
    vaults=100_000,
    subscriptions=1_000,
    few_vaults=1_000,
    few_subscriptions=10,
    audit_entries=1_000_000,
    few_audit_entries=1_000,
    machines=10_000,
    machines_in_vault=50,
    viewers=500,
    rounds=7,
    requests=40,
    small_requests=1_000,
    approvals=15,
    sightings=40,
    backup_files=20_000,
    backup_bytes=1_000_000_000,
    backup_rounds=5,
    nightly_files=120_000,
    nightly_bytes=240_000_000,
    package_bytes=100_000_000,
    starts=5,
    idle_seconds=20,
    paste_bytes=100_000_000,
    pastes=3,
)
QUICK = Sizes(
    name="quick",
    vaults=5_000,
    subscriptions=100,
    few_vaults=1_000,
    few_subscriptions=10,
    audit_entries=25_000,
    few_audit_entries=1_000,
    machines=1_000,
    machines_in_vault=50,
    viewers=100,
    rounds=5,
    requests=20,
    small_requests=300,
    approvals=5,
    sightings=8,
    backup_files=500,
    backup_bytes=25_000_000,
    backup_rounds=3,
    nightly_files=5_000,
    nightly_bytes=10_000_000,
    package_bytes=50_000_000,
    starts=1,
    idle_seconds=2,
    paste_bytes=10_000_000,
    pastes=1,
)
