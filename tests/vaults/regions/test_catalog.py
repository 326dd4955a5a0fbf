"""The regions file, and what administrators may change."""

import configparser
import os
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Via
from portal.core.errors import Invalid, NotAllowed, NotFound
from tests.factories import as_actor
from vaults.models import Region
from vaults.regions import catalog as domain
from vaults.regions import config_file
from vaults.regions.config_file import BadRegionsFile

ONE = '[[region]]\nslug = "one"\nname = "One"\nremote = "/srv/one"\n'
LOCKED = (
    '[[region]]\nslug = "locked"\nname = "Locked"\nremote = "s:bucket/root"\n'
    'object_lock = { mode = "compliance", days = 30 }\n[region.config]\ntype = "s3"\n'
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A regions file and a data folder of the test's own; the file is not there yet."""
    monkeypatch.setattr(settings, "DATA", tmp_path)
    monkeypatch.setattr(settings, "REGIONS_FILE", tmp_path / "regions.toml")
    return tmp_path / "regions.toml"  # type: ignore[return-value]


def sync() -> str:
    out = StringIO()
    call_command("sync_regions", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_default_file_has_two_paired_folders(file: Path) -> None:
    assert sync() == "Regions: Local A, Local B.\n"
    a, b = Region.objects.get(slug="local-a"), Region.objects.get(slug="local-b")
    assert (domain.pair_of(a), domain.pair_of(b)) == (b, a)
    for slug in ("local-a", "local-b"):
        assert (file.parent / "storage" / slug).is_dir()
    assert AuditEvent.objects.filter(action="region:add").count() == 2


@pytest.mark.django_db
def test_running_it_again_changes_nothing(file: Path) -> None:
    sync()
    text = file.read_text()
    sync()
    assert (file.read_text(), Region.objects.count(), AuditEvent.objects.count()) == (text, 2, 2)


@pytest.mark.django_db
def test_names_and_switches_of_administrators_survive(file: Path) -> None:
    sync()
    Region.objects.filter(slug="local-a").update(name="Frankfurt", enabled=False)
    sync()
    region = Region.objects.get(slug="local-a")
    assert (region.name, region.enabled) == ("Frankfurt", False)


@pytest.mark.django_db
def test_a_region_that_vanished_is_switched_off_and_kept(file: Path) -> None:
    sync()
    file.write_text(ONE.replace("/srv/one", str(file.parent / "one")))
    sync()
    assert list(Region.objects.order_by("slug").values_list("slug", "enabled")) == [
        ("local-a", False),
        ("local-b", False),
        ("one", True),
    ]


@pytest.mark.django_db
def test_a_new_region_may_not_take_the_name_of_another(file: Path) -> None:
    file.write_text(ONE.replace("/srv/one", str(file.parent / "one")))
    Region.objects.create(slug="two", name="ONE")
    with pytest.raises(CommandError, match="another region is named One already"):
        sync()


def test_rclones_configuration_holds_the_secrets_and_is_private(tmp_path: Path) -> None:
    file, config = tmp_path / "regions.toml", tmp_path / "rclone.conf"
    file.write_text(
        '[[region]]\nslug = "cloud"\nname = "Cloud"\nremote = "store:bucket/a"\n'
        '[region.config]\ntype = "s3"\nsecret_access_key = "hush"\nno_check_bucket = true\n'
    )
    places = config_file.read(file)
    config_file.write_rclone_config(config, places)
    assert stat.S_IMODE(os.stat(config).st_mode) == 0o600
    found = configparser.ConfigParser()
    found.read(config)
    assert dict(found["cloud"]) == {"type": "alias", "remote": "store:bucket/a"}
    assert dict(found["store"]) == {
        "type": "s3",
        "storage_class": "STANDARD",  # else objects bring the class of where they come from
        "secret_access_key": "hush",
        "no_check_bucket": "true",
    }
    assert "hush" not in repr(places)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must hold"),
        ("region = 3", "must hold"),
        ("region = [3]", "must be a table"),
        (ONE + "object_lock = true\n", "must be { mode"),
        (ONE + 'object_lock = { mode = "compliance" }\n', "must be { mode"),
        (ONE + 'object_lock = { mode = "compliance", days = 30, hours = 1 }\n', "must be { mode"),
        (ONE + 'object_lock = { mode = "governance", days = 30 }\n', "the region's own key"),
        (ONE + 'object_lock = { mode = "compliance", days = 20 }\n', "from 21 to 3650"),
        (ONE + 'object_lock = { mode = "compliance", days = 3651 }\n', "from 21 to 3650"),
        (ONE + 'object_lock = { mode = "compliance", days = true }\n', "from 21 to 3650"),
        (ONE + 'object_lock = { mode = "compliance", days = 30.5 }\n', "from 21 to 3650"),
        (ONE + 'object_lock = { mode = "compliance", days = 30 }\n', "needs a bucket of an S3 store"),
        (LOCKED.replace("s:bucket/root", "s:"), "needs a bucket of an S3 store"),
        (LOCKED.replace('"s3"', '"azureblob"'), "needs a bucket of an S3 store"),
        (LOCKED + 'object_lock_mode = "GOVERNANCE"\n', "config.object_lock_mode must go"),
        (LOCKED + "bucket_object_lock_enabled = false\n", "config.bucket_object_lock_enabled must go"),
        ("other = 1\n" + ONE, "nothing else"),
        ("[[region]\n", "not valid TOML"),
        (ONE + 'colour = "red"\n', "unknown key: colour"),
        (ONE.replace('"One"', '""'), "name must be a text"),
        (ONE.replace('"One"', "1"), "name must be a text"),
        (ONE.replace('"One"', '"a\\nb"'), "one line"),
        (ONE.replace('"One"', f'"{"x" * 81}"'), "at most 80"),
        (ONE.replace('"one"', '"One"'), "slug must be"),
        (ONE.replace('"one"', '"../x"'), "slug must be"),
        (ONE.replace('"one"', '"api"'), "slug must be"),
        (ONE.replace('"/srv/one"', '"srv/one"'), "remote must be"),
        (ONE + 'pair = "one"\n', "pair must be"),
        (ONE + 'pair = "two"\n', "pair must be"),
        (ONE + ONE, "same slug"),
        (
            ONE + ONE.replace('"one"', '"two"').replace('"One"', '"Two"').replace("/srv/one", "/srv/x/../one/in"),
            "share",
        ),
        (ONE + '[region.config]\ntype = "s3"\n', "config belongs"),
        (ONE.replace("/srv/one", "s:b") + '[region.config]\nkey = "x"\n', "needs a type"),
        (ONE.replace("/srv/one", "s:b") + '[region.config]\ntype = "s3"\nkey = "a\\nb"\n', "config.key"),
        (ONE.replace("/srv/one", "s:b") + '[region.config]\ntype = "s3"\n"k]" = "a"\n', "not the name"),
        (ONE.replace("/srv/one", "one:b") + '[region.config]\ntype = "s3"\n', "must not be a slug"),
    ],
)
def test_a_wrong_file_is_refused_with_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "regions.toml"
    file.write_text(text)
    with pytest.raises(BadRegionsFile, match=complaint) as refused:
        config_file.read(file)
    assert "\n" not in str(refused.value).split("TOML")[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("store:bucket", "/srv/cloud"),
        ('"hush"', '"hush\\nhush"'),
        ('"hush"', '["hush"]'),
        ('secret_access_key = "hush"', '"secret key" = "hush"'),
        ('type = "s3"', ""),
        ('"Cloud"', "1"),
        ('"Cloud"', '"Cloud'),
        ('"Cloud"', '"Clo\xff"'),
    ],
)
def test_no_refusal_has_a_secret_in_it(tmp_path: Path, old: str, new: str) -> None:
    """Nor is it among the causes of one, which some programs write down with all that they hold."""
    file = tmp_path / "regions.toml"
    good = (
        '[[region]]\nslug = "cloud"\nname = "Cloud"\nremote = "store:bucket"\n'
        '[region.config]\ntype = "s3"\nsecret_access_key = "hush"\n'
    )
    file.write_text(good)
    assert [place.config["secret_access_key"] for place in config_file.read(file)] == ["hush"]
    file.write_bytes(good.replace(old, new).encode("latin-1"))
    with pytest.raises(BadRegionsFile) as refused:
        config_file.read(file)
    error: BaseException | None = refused.value
    while error is not None:
        assert "hush" not in f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__


def test_what_is_stored_is_locked_at_once_where_the_file_says_so(file: Path) -> None:
    file.write_text(LOCKED)
    (place,) = config_file.read(file)
    assert (place.lock_days, place.bucket) == (30, ("bucket", "root"))
    written = file.with_name("rclone.conf")
    config_file.write_rclone_config(written, [place])
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read(written)
    assert dict(parsed["s"]) == {
        "type": "s3",
        "storage_class": "STANDARD",
        "bucket_object_lock_enabled": "true",
        "object_lock_mode": "COMPLIANCE",
        "object_lock_retain_until_date": "30d",
    }


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRegionsFile, match="cannot be read"):
        config_file.read(tmp_path / "none.toml")


def test_administrators_rename_and_switch(regions: tuple[Region, Region], administrator: User) -> None:
    actor = as_actor(administrator, via=Via.ADMIN)
    domain.rename(regions[0].pk, actor=actor, name=" Frankfurt ")
    domain.set_enabled(regions[0].pk, actor=actor, enabled=False)
    region = Region.objects.get(pk=regions[0].pk)
    assert (region.name, region.enabled) == ("Frankfurt", False)
    said = AuditEvent.objects.filter(actor=administrator).order_by("id")
    assert [(event.action, event.detail) for event in said] == [
        ("region:rename", {"from": "Local A", "to": "Frankfurt"}),
        ("region:disable", {}),
    ]


def test_nobody_else_changes_regions(regions: tuple[Region, Region], staff: User, approver: User) -> None:
    for user in (staff, approver):
        with pytest.raises(NotAllowed):
            domain.rename(regions[0].pk, actor=as_actor(user), name="Mine")
        with pytest.raises(NotAllowed):
            domain.set_enabled(regions[0].pk, actor=as_actor(user), enabled=False)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\nb", "local b"])
def test_names_that_a_region_cannot_have(regions: tuple[Region, Region], administrator: User, name: str) -> None:
    with pytest.raises(Invalid):
        domain.rename(regions[0].pk, actor=as_actor(administrator), name=name)
    assert Region.objects.get(pk=regions[0].pk).name == "Local A"


def test_a_region_that_the_file_does_not_have_stays_closed(regions: tuple[Region, Region], administrator: User) -> None:
    gone = Region.objects.create(slug="gone", name="Gone", enabled=False)
    with pytest.raises(Invalid):
        domain.set_enabled(gone.pk, actor=as_actor(administrator), enabled=True)
    with pytest.raises(NotFound):
        domain.set_enabled(0, actor=as_actor(administrator), enabled=True)


@pytest.mark.django_db
def test_applying_a_change_says_what_has_to_be_restarted(file: Path) -> None:
    """A gateway keeps the key that it has read at its start."""

    def apply(key: str) -> str:
        file.write_text(
            '[[region]]\nslug = "cloud"\nname = "Cloud"\nremote = "store:bucket/a"\n'
            f'[region.config]\ntype = "s3"\nsecret_access_key = "{key}"\n'
            '[[region]]\nslug = "other"\nname = "Other"\nremote = "else:bucket/b"\n'
        )
        domain._read.cache_clear()
        out = StringIO()
        call_command("sync_regions", stdout=out)
        return out.getvalue()

    said = [apply("hush"), apply("hush"), apply("50%hush"), apply("50%hush")]
    assert [("restart front:gateway-cloud back:storage" in text, "other." in text) for text in said] == [
        (False, False),
        (False, False),
        (True, False),
        (False, False),
    ]
    assert "hush" not in "".join(said)
