"""What an audit entry is about, as the entry keeps it: it outlives the row."""

from dataclasses import dataclass
from uuid import UUID

from django.db import models


@dataclass(frozen=True)
class Target:
    """The row's kind, key and name, and the vault that it is or belongs to; empty for entries about nothing."""

    type: str = ""
    id: str = ""
    label: str = ""
    vault_id: UUID | None = None

    @classmethod
    def of(cls, row: models.Model | None) -> "Target":
        """The row as it is now."""
        if row is None:
            return cls()
        vault_id = row.pk if row._meta.label == "vaults.Vault" else getattr(row, "vault_id", None)
        return cls(row._meta.model_name or "", str(row.pk), str(row)[:200], vault_id)
