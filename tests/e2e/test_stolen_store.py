"""Somebody with the region's own key, on a bucket with object lock: all that was restorable comes back, byte for byte.

The vault is kept in that bucket alone, so that nothing comes from a pair.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.stolen import Stolen, stolen_machine
from tests.portal_process import Portal, running
from tests.vaults.stores import Store, seaweed
from tests.waiting import wait_for

pytestmark = pytest.mark.system
DAYS = 30
REGIONS = """
[[region]]
slug = "local-a"
name = "Local A"
remote = "weed:locked/the root"
object_lock = {{ mode = "compliance", days = {days} }}
[region.config]
{weed}
"""
_WALK = """
from django.db.models.functions import Now
from vaults.integrity import lock_schedule, lock_walker
from vaults.models import LockWalk
LockWalk.objects.update(due_at=Now(), extended_to_day=None)
while due := lock_schedule.overdue():
    lock_walker.run(due[0])
import json
walk = LockWalk.objects.get()
print(json.dumps([walk.trouble, walk.locks_extended, walk.hidden]))
"""


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("weed")) as store:
        store.make_bucket("locked", lock=True)
        yield store


@pytest.fixture(scope="module")
def portal(weed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal with its one region in the bucket."""
    file = tmp_path_factory.mktemp("regions") / "regions.toml"
    options = "\n".join(f'{name} = "{value}"' for name, value in weed.config.items())
    file.write_text(REGIONS.format(weed=options, days=DAYS))
    with running(REGIONS_FILE=str(file)) as started:
        yield started


@pytest.fixture
def stolen(portal: Portal, tmp_path: Path) -> Iterator[Stolen]:
    with stolen_machine(portal, tmp_path, "local") as found:
        yield found


class Thief:
    """Who has read the regions file."""

    def __init__(self, weed: Store) -> None:
        self.s3 = weed.s3()
        self.refused = Counter[str]()

    def versions(self, prefix: str = "") -> list[dict[str, Any]]:
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket="locked", Prefix=f"the root/{prefix}")
        return [each for page in pages for each in page.get("Versions", [])]

    def tries(self, what: str, **request: Any) -> None:
        """What must be refused."""
        with pytest.raises(ClientError) as error:
            getattr(self.s3, what)(Bucket="locked", **request)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 409}, error.value
        self.refused[what] += 1

    def everything(self) -> int:
        """All that the store offers, on every version; then markers and junk on top of all. How many versions."""
        # But what the portal has written to see whether it can: that is nobody's, and locked for minutes.
        found = [each for each in self.versions() if "/strongroom/" not in each["Key"]]
        soon = datetime.now(UTC) + timedelta(hours=1)
        for each in found:
            one = {"Key": each["Key"], "VersionId": each["VersionId"]}
            self.tries("delete_object", **one)
            self.tries("delete_object", **one, BypassGovernanceRetention=True)
            for mode in ("COMPLIANCE", "GOVERNANCE"):
                lock = {"Mode": mode, "RetainUntilDate": soon}
                self.tries("put_object_retention", **one, Retention=lock, BypassGovernanceRetention=True)
        self.tries("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"})
        self.tries("delete_bucket")
        for number, key in enumerate(sorted({each["Key"] for each in found})):
            if number % 3 == 0:
                self.s3.put_object(Bucket="locked", Key=key, Body=b"junk")
            else:
                self.s3.delete_object(Bucket="locked", Key=key)
        return len(found)


def test_with_the_regions_own_key(stolen: Stolen, weed: Store, tmp_path: Path) -> None:
    trouble, extended, hidden = json.loads(stolen.manage(_WALK))
    thief, live = Thief(weed), f"{stolen.vault}/{stolen.id}/"
    there = [each for each in thief.versions(live) if "/locks/" not in each["Key"]]
    assert (trouble, extended, hidden) == ("", len(there), {})
    ends = {
        thief.s3.head_object(Bucket="locked", Key=each["Key"], VersionId=each["VersionId"])["ObjectLockRetainUntilDate"]
        for each in there
    }
    assert min(ends) > datetime.now(UTC) + timedelta(days=DAYS - 1)
    assert stolen.delete("snapshots") == {200}  # with the machine's key as well: what is in the trash goes next
    count = thief.everything()
    assert count >= len(there) + 2  # those in the trash as well
    assert thief.refused == {
        "delete_object": 2 * count,
        "put_object_retention": 2 * count,
        "put_bucket_versioning": 1,
        "delete_bucket": 1,
    }
    stolen.machine.agent("check", status=1)
    _, _, hidden = json.loads(stolen.manage(_WALK))
    assert list(hidden) == [stolen.vault]
    told = "were deleted or replaced in the store of Local A"
    wait_for("people to be told", lambda: told in stolen.staff.client.get("/notifications/").text)
    stolen.bring_back()
    stolen.all_restorable(tmp_path)
    _, _, hidden = json.loads(stolen.manage(_WALK))
    assert hidden == {}
    assert told not in stolen.staff.client.get("/notifications/").text
