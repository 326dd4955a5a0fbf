"""Geo-redundant vaults between stores of different kinds, both ways: copying, bringing back, mending, refusals."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as site
from django.utils import timezone

from portal.audit.models import AuditEvent
from tests.rows import now
from tests.vaults.rclone_process import running
from tests.vaults.stored import CONFIG, digest
from tests.vaults.stores import SECRET, Store, azurite, seaweed
from vaults import copy_schedule
from vaults.integrity import verify
from vaults.models import PairedCopy, Region, Vault
from vaults.regions import config_file
from vaults.regions.storage import rclone
from vaults.regions.storage.rclone import RcloneRegion, region_storage
from vaults.replication import copier

pytestmark = [pytest.mark.system, pytest.mark.long]
NAMES = {"weed": "Weed", "azure": "Azure", "disk": "Disk", "locked": "Locked"}
PAIRS = [(first, pair) for first in ("weed", "azure", "disk") for pair in ("weed", "azure", "disk") if first != pair]


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("weed")) as store:
        yield store


@pytest.fixture(scope="module", autouse=True)
def served(weed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The storage process, with regions in both stores, in a folder, and one whose key is wrong."""
    folder = tmp_path_factory.mktemp("served")
    with azurite(tmp_path_factory.mktemp("azurite")) as blobs, pytest.MonkeyPatch.context() as patch:
        configs = {
            "weed": ("weedstore:bucket/root", weed.config),
            "azure": ("azurestore:container/root", blobs.config),
            "locked": ("lockedstore:bucket/other", {**weed.config, "secret_access_key": SECRET[::-1]}),
            "disk": (str(folder / "disk"), {}),
        }
        (folder / "disk").mkdir()
        places = [
            config_file.Place(slug, NAMES[slug], remote, config=config) for slug, (remote, config) in configs.items()
        ]
        config, rcd = folder / "rclone.conf", folder / "rc"
        config_file.write_rclone_config(config, places)
        control = ("rcd", "--rc-no-auth", "--rc-serve", "--rc-addr", f"unix://{rcd}")
        with running(*control, socket=rcd, config=config):
            patch.setattr(site, "STORAGE_SOCKET", str(rcd))
            yield
            rclone._client().close()


@pytest.fixture
def pair(make_vault: Callable[..., Vault]) -> Callable[[str, str], PairedCopy]:
    """The copy, due now, of a vault between two regions."""

    def make(first: str, second: str) -> PairedCopy:
        rows = [Region.objects.create(slug=slug, name=NAMES[slug]) for slug in (first, second)]
        vault = make_vault(region=rows[0])
        copy = PairedCopy.objects.create(vault=vault, region=rows[1])
        copy_schedule.schedule(vault.pk)
        return copy

    return make


def backup(storage: RcloneRegion, vault: object) -> dict[str, str]:
    """Store some objects of each type; their digests by path."""
    folder = f"{vault}/{uuid4()}"
    stored = {f"{folder}/config": CONFIG}
    for kind in ("keys", "data", "index", "snapshots"):
        data = f"{kind} {folder}".encode() * 100
        name = digest(data)
        stored[f"{folder}/{kind}/{name[:2]}/{name}" if kind == "data" else f"{folder}/{kind}/{name}"] = data
    for path, data in stored.items():
        storage.write(path, data)
    return {path: digest(data) for path, data in stored.items()}


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.django_db
def test_a_mixed_pair(pair: Callable[[str, str], PairedCopy], first: str, second: str) -> None:
    """Copied, brought back, and mended in each direction."""
    copy = pair(first, second)
    ours, theirs = region_storage(copy.vault.region), region_storage(copy.region)
    ours.make_container(str(copy.vault_id))
    stored = backup(RcloneRegion(first, first), copy.vault_id)

    def round_leaves_all() -> None:
        copier.run(copy.pk)
        assert (now(copy).trouble, now(copy).complete_as_of is None) == ("", False)
        assert ours.sha256(list(stored)) == theirs.sha256(list(stored)) == stored
        copy_schedule.schedule(copy.vault_id)

    round_leaves_all()
    for path in stored:
        ours.delete(path)
    round_leaves_all()
    for path in stored:
        theirs.delete(path)
    round_leaves_all()
    pack = next(path for path in stored if "/data/" in path)
    for storage, region in ((ours, copy.vault.region), (theirs, copy.region)):
        storage.write(pack, b"damaged")
        verify.check_region(region, since=None)
        assert storage.sha256([pack]) == {pack: stored[pack]}
    assert AuditEvent.objects.filter(action="object:repair").count() == 3
    round_leaves_all()


@pytest.mark.parametrize(("first", "second"), [("disk", "locked"), ("locked", "disk")])
@pytest.mark.django_db
def test_the_region_that_refuses_is_named(pair: Callable[[str, str], PairedCopy], first: str, second: str) -> None:
    copy = pair(first, second)
    if first == "disk":
        backup(RcloneRegion("disk", "Disk"), copy.vault_id)
    copier.run(copy.pk)
    assert (now(copy).trouble[:7], now(copy).complete_as_of) == ("Locked ", None)


@pytest.mark.django_db
def test_a_round_with_nothing_new_costs_few_requests(pair: Callable[[str, str], PairedCopy], weed: Store) -> None:
    """However many packs a machine has: five listings and a look at its config, and the vault's folder."""
    copy = pair("weed", "disk")
    storage = RcloneRegion("weed", "Weed")
    stored = backup(storage, copy.vault_id)
    folder = next(iter(stored)).rpartition("/")[0]
    for number in range(300):
        data = str(number).encode()
        storage.write(f"{folder}/data/{digest(data)[:2]}/{digest(data)}", data)
    copier.run(copy.pk)
    copy_schedule.schedule(copy.vault_id)
    before = weed.requests()
    copier.run(copy.pk)
    assert now(copy).trouble == ""
    assert weed.requests() - before <= 8


@pytest.mark.parametrize("slug", ["weed", "azure"])
@pytest.mark.django_db
def test_nothing_is_compared_where_uploads_appear_whole(slug: str, weed: Store) -> None:
    """After an unclean stop: no listing at all, however many machines there are. By hand all is compared."""
    region = Region.objects.create(slug=slug, name=NAMES[slug])
    storage = RcloneRegion(slug, NAMES[slug])
    stored = backup(storage, uuid4())
    junk = next(path for path in stored if "/data/" in path)
    storage.write(junk, b"junk")
    before = weed.requests()
    assert verify.check_region(region, since=timezone.now() - timedelta(hours=1)) == (0, 0)
    assert weed.requests() == before
    assert verify.check_region(region, since=None) == (5, 1)
    assert storage.entry(junk) is None


def test_a_disk_has_halves_of_uploads() -> None:
    assert not RcloneRegion("disk", "Disk").stores_whole()


@pytest.fixture(autouse=True)
def clean(served: None, tmp_path: Path) -> None:
    """Each test has vaults of its own; what others left is in the way of walks over whole regions."""
    for slug in ("weed", "azure", "disk"):
        storage = RcloneRegion(slug, slug)
        for entry in storage.tree(""):
            storage.delete(entry.name)
