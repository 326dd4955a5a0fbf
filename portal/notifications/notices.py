"""Notices: what is to be shown to people, or no longer, as values that events are made of."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from portal.accounts.models import Subscription, User
from portal.notifications.models import Notification


class Topic(StrEnum):
    """What a notice is about; together with the thing itself it makes the key under which there is one entry.

    Keys are stored: a member is never renamed.
    """

    VAULT_CREATE = "vault-create"
    VAULT_MAKE_COPY = "vault-make-copy"
    VAULT_END_COPY = "vault-end-copy"
    VAULT_BRING_BACK = "vault-bring-back"
    VAULT_REQUEST = "vault-request"
    VAULT_REQUEST_OUTCOME = "vault-request-outcome"
    RETENTION = "retention"
    RETENTION_CHANGE = "retention-change"
    RETENTION_CHANGE_OUTCOME = "retention-change-outcome"
    QUOTA = "quota"
    QUARANTINE = "quarantine"
    REPAIR = "repair"
    RETURN = "return"
    HIDDEN = "hidden"
    OBJECT_LOCK = "object-lock"
    TRASH = "trash"
    PURGE = "purge"
    BRING_BACK = "bring-back"
    DIFFERENCE = "difference"
    REPLACEMENT = "replacement"
    REPLACEMENT_OUTCOME = "replacement-outcome"
    MACHINE_REGISTER = "machine-register"
    MACHINE_REPLACE = "machine-replace"
    MACHINE_READY = "machine-ready"
    MACHINE_SUSPEND = "machine-suspend"
    MACHINE_UNREGISTER = "machine-unregister"
    MACHINE_BACKUP = "machine-backup"
    MACHINE_RESTORE_CHECK = "machine-restore_check"
    MACHINE_RESTORE = "machine-restore"
    MACHINE_CHECK = "machine-check"
    MACHINE_REPAIR = "machine-repair"
    MACHINE_RETAIN = "machine-retain"
    MACHINE_LATE = "machine-late"
    MACHINE_UNPROVEN = "machine-unproven"
    MACHINE_SLOW = "machine-slow"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An entry of the notification area, for the subscription's members, and approvers where they are to act.

    `about` names the thing within its topic; the same again changes the entry in place. The `requester`, whom it asks
    for nothing, finds it put away.
    """

    topic: Topic
    about: UUID | str
    state: Notification.State
    title: str
    step: str = ""
    progress: int = 0  # per cent
    url: str
    subscription: Subscription | None = None
    for_approvers: bool = False
    requester: User | None = None

    @property
    def key(self) -> str:
        """Under which there is one entry."""
        return f"{self.topic}:{self.about}"


@dataclass(frozen=True)
class Withdrawal:
    """An entry that no longer concerns anybody, where there is one."""

    topic: Topic
    about: UUID | str

    @property
    def key(self) -> str:
        """Of the entry."""
        return f"{self.topic}:{self.about}"
