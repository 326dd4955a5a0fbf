"""What the seeding program tells the bench about what it made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Storage:
    """What the edge tells the portal about one storage request of a machine."""

    serial: str
    fingerprint: str
    uri: str


@dataclass(frozen=True)
class Signer:
    """The key of a machine, and its certificate with the issuer's, both PEM."""

    private_key: str
    chain: str


@dataclass(frozen=True)
class Handles:
    """Sign-ins as Cookie headers, and where things are."""

    member: str  # of ten subscriptions
    central: str  # of all subscriptions
    auditor: str
    viewers: list[str]
    edge_secret: str
    edge_url: str
    vault: str  # the one with many machines; `member` belongs to its subscription
    vault_name: str
    last_name: str  # of the last vault of the whole list
    last_page: str  # cursors of the deepest pages, for the auditor
    last_page_active: str
    central_last_page: str
    region: int
    word: str  # is in the names of few vaults
    audit_last_page: str
    audit_last_page_filtered: str
    audit_person: str
    audit_action: str
    storage: list[Storage]
    signers: list[Signer]  # machines that can speak
