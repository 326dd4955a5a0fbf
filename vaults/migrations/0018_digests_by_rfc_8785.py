"""Open requests get the digest that their content has in the canonical form of RFC 8785, which leaves letters as they are.

What was decided keeps the digest that it was decided with.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import rfc8785
from django.db import migrations


def _before(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _recomputed(canonical: Callable[[dict[str, Any]], bytes]) -> Callable[[Any, Any], None]:
    def recompute(apps: Any, schema_editor: Any) -> None:
        requests = apps.get_model("vaults", "VaultRequest").objects.filter(state="pending").select_related("region")
        for request in requests.iterator():
            content = {
                "id": str(request.pk),
                "subscription": request.subscription_id,
                "name": request.name,
                "region": request.region.slug,
                "redundancy": request.redundancy,
                "reason": request.reason,
                "requested_by": request.requested_by_id,
            }
            request.digest = hashlib.sha256(canonical(content)).hexdigest()
            request.save(update_fields=["digest"])

    return recompute


class Migration(migrations.Migration):
    dependencies = [("vaults", "0017_suspects")]

    operations = [migrations.RunPython(_recomputed(rfc8785.dumps), _recomputed(_before))]
