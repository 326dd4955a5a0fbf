"""What machines send inside their signed messages, field by field (docs/protocol.md).

Fields that we do not know are left aside, so that a newer agent can talk to an older portal.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

from django.utils import timezone
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from agents.protocol.spent_tokens import CLOCK_TOLERANCE
from agents.states import SetupStep
from portal.core.errors import Invalid
from portal.core.texts import in_one_line

NAME = r"^[A-Za-z0-9.-]{1,63}$"
# In one line, and without characters that turn the direction of what is shown behind them.
PLAIN = r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$"
Text = Annotated[str, StringConstraints(max_length=64, pattern=PLAIN)]
Version = Annotated[str, StringConstraints(max_length=32, pattern=PLAIN)]
Request = Annotated[str, StringConstraints(max_length=4096)]
# An object of the machine's repository, which is named by the SHA-256 of its content.
ObjectName = Annotated[str, StringConstraints(pattern=r"^(data|index|keys|snapshots)/[0-9a-f]{64}$")]
# A compact JWS of its own: agents/receipts reads it.
Receipt = Annotated[str, StringConstraints(max_length=16 * 1024)]
Figure = Annotated[int, Field(ge=0, le=2**63 - 1)]
# The bound keeps times where every time zone can express them.
Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC))]
FIGURES = (
    "files",
    "bytes",
    "bytes_added",
    "compared",
    "compared_bytes",
    "proven",
    "total",
    "changed",
    "mismatched",
    "vanished",
    "lost",
    "found",
    "forgotten",
    "refused",
    "freed",
    "total_bytes",
    "restored",
    "restored_bytes",
    "restore_ms",
    "lately",
    "lately_bytes",
    "named",
    "named_missing",
)
MOST_DAMAGED = 200
"""Objects named by one report; the next one names others, as soon as these have been replaced."""
DONE = "done"
"""The code of a run that did all it is for; longer ones begin with it and say what is to be known of it."""


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Platform(_Message):
    """What kind of machine it is."""

    os: Text
    arch: Text
    release: Text


class Registration(_Message):
    """A new machine; `csr` is a request for a certificate, PEM."""

    name: Annotated[str, StringConstraints(pattern=NAME)]
    csr: Request
    platform: Platform
    agent_version: Version


class Renewal(_Message):
    """A request for a certificate to a new key."""

    csr: Request


class Schedule(_Message):
    """How often backups are made by themselves: the longest time between two."""

    every_hours: Annotated[int, Field(ge=1, le=31 * 24)]


class _TellsOfSchedule(_Message):
    """`schedule` is null where nothing makes backups by itself; agents that do not tell of it leave it out."""

    schedule: Schedule | None = None

    @property
    def tells_of_schedule(self) -> bool:
        """Whether it says anything about it."""
        return "schedule" in self.model_fields_set

    @property
    def promised_hours(self) -> int | None:
        """How often the schedule promises a backup."""
        return self.schedule.every_hours if self.schedule else None


class Update(_Message):
    """How it stands with the update of the agent."""

    state: Literal["waiting", "trying", "failed", "updated"]
    version: Version = ""
    code: Annotated[str, StringConstraints(max_length=40, pattern="^[a-z_]*$")] = ""
    came_from: Version = ""


class Heartbeat(_TellsOfSchedule):
    """A heartbeat. `update` is null where there is nothing to tell of one; agents that know of none leave it out."""

    agent_version: Version
    engine_version: Version
    update: Update | None = None

    @property
    def facts_of_update(self) -> dict[str, str]:
        """The columns of the machine that it changes."""
        if "update" not in self.model_fields_set:
            return {}
        told = self.update
        return {
            "update_state": told.state if told else "",
            "update_version": told.version if told else "",
            "update_code": told.code if told else "",
            "updated_from": told.came_from if told else "",
        }


class UpdateQuestion(_Message):
    """Which release there is for a machine of this kind, and whether it may take it."""

    version: Version
    platform: Text
    architecture: Text
    kind: Text


class RetainQuestion(_Message):
    """Which snapshots go by the vault's policy; without `dry_run` it also announces that they are going to."""

    dry_run: bool = False


class Report(_TellsOfSchedule):
    """What a machine did.

    A restore check that succeeded says how many files it compared with their source byte for byte, how many it has
    `proven` against what the snapshot recorded, and how many differed; `restored` files of `restored_bytes` came back
    in `restore_ms` milliseconds. Of the snapshot, which has `total` files of `total_bytes`, `lately` ones were proven
    within the last thirty days. Of the paths that people named it has `named` files, and `named_missing` are not there.
    `damaged` names objects that the machine has read from a region and found not to be what their names say.
    """

    run: UUID
    kind: Literal["backup", "restore_check", "restore", "check", "repair", "retain"]
    outcome: Literal["succeeded", "failed"]
    code: Annotated[str, StringConstraints(max_length=40, pattern="^[a-z_]*$")] = ""
    started_at: Moment
    finished_at: Moment
    snapshot: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    message: Annotated[str, StringConstraints(max_length=500), AfterValidator(in_one_line)] = ""
    files: Figure | None = None
    bytes: Figure | None = None
    bytes_added: Figure | None = None
    compared: Figure | None = None
    compared_bytes: Figure | None = None
    proven: Figure | None = None
    total: Figure | None = None
    changed: Figure | None = None
    mismatched: Figure | None = None
    vanished: Figure | None = None
    lost: Figure | None = None
    found: Figure | None = None
    forgotten: Figure | None = None
    refused: Figure | None = None
    freed: Figure | None = None
    total_bytes: Figure | None = None
    restored: Figure | None = None
    restored_bytes: Figure | None = None
    restore_ms: Figure | None = None
    lately: Figure | None = None
    lately_bytes: Figure | None = None
    named: Figure | None = None
    named_missing: Figure | None = None
    receipt: Receipt | None = None
    damaged: Annotated[list[ObjectName], Field(max_length=MOST_DAMAGED)] = []

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if not self.started_at <= self.finished_at <= timezone.now() + CLOCK_TOLERANCE:
            raise ValueError("It must start before it ends, and end before now.")
        return self

    @property
    def figures(self) -> dict[str, int]:
        """The numbers that were given."""
        return {name: value for name in FIGURES if (value := getattr(self, name)) is not None}

    @property
    def succeeded(self) -> bool:
        """Whether it did what it is for: a code that does not say `done`, or a file that differs, is a failure."""
        done = not self.code or self.code == DONE or self.code.startswith(f"{DONE}_")
        return self.outcome == "succeeded" and done and not self.mismatched

    @property
    def proves_restore(self) -> bool:
        """Whether files were restored, some were proven to be as they were backed up, and none differed."""
        proven = bool(self.compared) or bool(self.proven)
        return self.kind == "restore_check" and self.succeeded and proven and self.mismatched == 0

    @property
    def stores_backup(self) -> bool:
        """Whether something was stored that can be restored."""
        return self.kind == "backup" and self.succeeded

    @property
    def misses_nothing(self) -> bool:
        """Whether it is a check of all that is stored that found it whole."""
        return self.kind == "check" and self.succeeded


STEP_FIGURES = ("files_done", "files_total", "bytes_done", "bytes_total", "rate", "seconds_left")
CHECK_FIGURES = ("files", "bytes", "unreadable", "free", "needed", "through_proxy")
MOST_CHECKS = len(SetupStep)
MOST_MESSAGES = 1_000_000
LONGEST_LEFT = 366 * 86_400
"""Seconds: what takes longer than a year is not estimated."""


class _Numbers(_Message):
    @property
    def figures(self) -> dict[str, int]:
        """The numbers that were given."""
        known = (*STEP_FIGURES, *CHECK_FIGURES)
        return {name: int(value) for name in known if (value := getattr(self, name, None)) is not None}


class SetupCheck(_Numbers):
    """Something that setup has looked at and found in order, before there was a machine that could tell of it."""

    step: SetupStep
    files: Figure | None = None
    bytes: Figure | None = None
    unreadable: Figure | None = None
    free: Figure | None = None
    needed: Figure | None = None
    through_proxy: bool | None = None


class SetupProgress(_Numbers):
    """How far the setup that began at `began_at` is; `number` counts its messages, so that an older one that comes late
    changes nothing. There is no text in it: neither paths nor addresses leave the machine."""

    began_at: Moment
    number: Annotated[int, Field(ge=1, le=MOST_MESSAGES)]
    step: SetupStep
    state: Literal["running", "done", "failed"]
    code: Annotated[str, StringConstraints(max_length=40, pattern="^[a-z_]*$")] = ""
    files_done: Figure | None = None
    files_total: Figure | None = None
    bytes_done: Figure | None = None
    bytes_total: Figure | None = None
    rate: Figure | None = None  # bytes a second
    seconds_left: Annotated[int, Field(ge=0, le=LONGEST_LEFT)] | None = None
    checks: Annotated[list[SetupCheck], Field(max_length=MOST_CHECKS)] = []

    @model_validator(mode="after")
    def _began_before(self) -> Self:
        if self.began_at > timezone.now() + CLOCK_TOLERANCE:
            raise ValueError("It must begin before now.")
        return self


M = TypeVar("M", bound=_Message)


def parse(kind: type[M], fields: Mapping[str, Any]) -> M:
    """The fields as a message of that kind; raises Invalid with what is wrong with each."""
    try:
        return kind.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        wrong: dict[str, list[str]] = {}
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            place = ".".join(str(part) for part in item["loc"]) or "message"
            wrong.setdefault(place, []).append(item["msg"].removeprefix("Value error, "))
        raise Invalid(wrong, "The portal does not understand what the agent sent.") from error
