"""The regions file: which regions there are, where each keeps its data, and which one is its pair.

It is TOML, one table for each region:

    [[region]]
    slug = "local-a"                # in URLs, for ever
    name = "Local A"                # as first shown; administrators may rename it later
    remote = "/srv/strongroom/a"    # an absolute folder, or `name:path` of an rclone remote
    pair = "local-b"                # optional: where the copies of geo-redundant vaults go
    object_lock = { mode = "compliance", days = 30 }  # optional, for a bucket that has it
    [region.config]                 # optional: options of the rclone remote `name`, secrets included
    type = "s3"

For rclone it is written out as a configuration file with one remote for each slug, so that nothing else needs to know
where a region is, and no secret is ever on a command line or in a request.
"""

import configparser
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.core import files
from portal.core.errors import Unavailable

SLUG = re.compile(r"[a-z][a-z0-9-]{0,31}")
REMOTE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*):(.*)")
RESERVED = frozenset({"api", "gateway", "health", "static"})  # first parts of other paths at the edge
KEYS = frozenset({"slug", "name", "remote", "pair", "config", "object_lock"})
# By type of remote, unless the file says otherwise. An object that is copied brings the storage class of where it comes
# from, such as Azure's `Hot`, and S3 refuses a class that it does not know.
DEFAULTS: Mapping[str, Mapping[str, str]] = {"s3": {"storage_class": "STANDARD"}}
# With object lock, whatever is stored is locked from the first moment on, and a bucket that rclone makes can lock.
LOCKED = "object_lock_"
LEAST_LOCK, MOST_LOCK = 21, 3650
"""Days. A lock is extended when a third of it is over (vaults/object_lock), so of the least a fortnight is left: the
shortest soft-delete period. Of the most nobody can ever take anything back."""
DEFAULT = """\
# Where vaults are kept. See "Regions" in the documentation for object storage and other remotes.

[[region]]
slug = "local-a"
name = "Local A"
remote = "{storage}/local-a"
pair = "local-b"

[[region]]
slug = "local-b"
name = "Local B"
remote = "{storage}/local-b"
pair = "local-a"
"""


class BadRegionsFile(Unavailable):
    """The regions file cannot be used: as a text it says which entry and why, to people only that it is so."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "The portal's regions file is missing or invalid.",
            remedy="Tell an administrator; `manage.py sync_regions` reports what is wrong.",
        )
        self.why = why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Place:
    """One region as the file has it. `config` may hold secrets: never log or show it."""

    slug: str
    name: str
    remote: str
    pair: str = ""
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    lock_days: int = 0  # for so long the store lets nobody delete what is stored; 0 without object lock

    @property
    def is_folder(self) -> bool:
        """Whether the region is a folder of this machine."""
        return self.remote.startswith("/")

    @property
    def bucket(self) -> tuple[str, str]:
        """The bucket of an object store, and the path of the region's root in it, without slashes around."""
        bucket, _, root = self.remote.partition(":")[2].strip("/").partition("/")
        return bucket, root.strip("/")


def read(path: Path) -> tuple[Place, ...]:
    """All places of the file at `path`, checked; raises BadRegionsFile."""
    document = _document(path)
    entries = document.get("region")
    if not isinstance(entries, list) or not entries or set(document) != {"region"}:
        raise BadRegionsFile(f"{path} must hold [[region]] tables, at least one, and nothing else.")
    places = tuple(_place(number, entry) for number, entry in enumerate(entries, 1))
    _check_together(places)
    return places


def write_default(path: Path, storage: Path) -> None:
    """Write two paired regions, folders under `storage`, to `path` unless there is a file already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, DEFAULT.format(storage=storage))


def write_rclone_config(path: Path, places: Iterable[Place]) -> None:
    """Write rclone's configuration to `path` (mode 0600): the remote `<slug>:` is the root of that region."""
    files.replace(path, "\n".join(_sections(place) for place in places))


def changed(path: Path, places: Iterable[Place]) -> list[str]:
    """The slugs of those places that rclone's configuration at `path` has otherwise; none when there is no file."""
    if not path.exists():
        return []
    there = configparser.ConfigParser(interpolation=None)
    there.read(path, encoding="utf-8")
    return [place.slug for place in places if there.has_section(place.slug) and _differs(place, there)]


def _differs(place: Place, there: configparser.ConfigParser) -> bool:
    wanted = configparser.ConfigParser(interpolation=None)
    wanted.read_string(_sections(place))
    return any(not there.has_section(name) or dict(there[name]) != dict(wanted[name]) for name in wanted.sections())


def _sections(place: Place) -> str:
    alias = _section(place.slug, {"type": "alias", "remote": place.remote})
    if not place.config:
        return alias
    options = {**DEFAULTS.get(place.config.get("type", ""), {}), **place.config, **_lock(place)}
    return f"{alias}\n{_section(place.remote.partition(':')[0], options)}"


def _lock(place: Place) -> Mapping[str, str]:
    if not place.lock_days:
        return {}
    until = {"object_lock_mode": "COMPLIANCE", "object_lock_retain_until_date": f"{place.lock_days}d"}
    return {"bucket_object_lock_enabled": "true", **until}


def _document(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRegionsFile(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        why = str(error)
    # These two hold all that was read, secrets included, so that they must not be a part of what is raised.
    raise BadRegionsFile(f"{path} is not valid TOML: {why}.")


def _place(number: int, entry: object) -> Place:
    if not isinstance(entry, dict):
        raise BadRegionsFile(f"Region {number} must be a table.")
    if unknown := sorted(set(entry) - KEYS):
        raise BadRegionsFile(f"Region {number} has an unknown key: {unknown[0]}.")
    words = {key: _text(number, entry, key) for key in ("slug", "name", "remote", "pair")}
    config = entry.get("config", {})
    if not isinstance(config, dict):
        raise BadRegionsFile(f"Region {number}: config must be a table.")
    options = {str(key): _option(number, key, value) for key, value in config.items()}
    place = Place(**words, config=options, lock_days=_lock_days(words["slug"], entry.get("object_lock")))
    _check_alone(number, place)
    return place


def _lock_days(slug: str, lock: object) -> int:
    if lock is None:
        return 0
    if not isinstance(lock, dict) or set(lock) != {"mode", "days"}:
        raise BadRegionsFile(f'Region {slug}: object_lock must be {{ mode = "compliance", days = … }}.')
    if lock["mode"] != "compliance":
        raise BadRegionsFile(
            f'Region {slug}: object_lock.mode must be "compliance": any other can be lifted with the region\'s own key.'
        )
    days = lock["days"]
    if type(days) is not int or not LEAST_LOCK <= days <= MOST_LOCK:
        raise BadRegionsFile(f"Region {slug}: object_lock.days must be a number from {LEAST_LOCK} to {MOST_LOCK}.")
    return days


def _text(number: int, entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str) or (not value and key != "pair"):
        raise BadRegionsFile(f"Region {number}: {key} must be a text that is not empty.")
    if any(ord(letter) < 32 for letter in value):
        raise BadRegionsFile(f"Region {number}: {key} must be one line without control characters.")
    return value


def _option(number: int, key: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str | int | bool) or "\n" in text or "\r" in text:
        raise BadRegionsFile(f"Region {number}: config.{key} must be a text, a number or a yes-or-no on one line.")
    if not re.fullmatch(r"[a-z0-9_]+", key):
        raise BadRegionsFile(f"Region {number}: config.{key} is not the name of an rclone option.")
    return text


def _check_alone(number: int, place: Place) -> None:
    if not SLUG.fullmatch(place.slug) or place.slug in RESERVED:
        raise BadRegionsFile(
            f"Region {number}: slug must be a small letter, then up to 31 small letters, digits or hyphens,"
            f" and none of {', '.join(sorted(RESERVED))}."
        )
    if len(place.name) > 80:
        raise BadRegionsFile(f"Region {place.slug}: name must have at most 80 characters.")
    remote = REMOTE.fullmatch(place.remote)
    if not place.is_folder and remote is None:
        raise BadRegionsFile(f"Region {place.slug}: remote must be an absolute folder or `name:path`.")
    if place.config and (place.is_folder or "type" not in place.config):
        raise BadRegionsFile(f"Region {place.slug}: config belongs to a `name:path` remote and needs a type.")
    if place.lock_days:
        _check_lock(place)


def _check_lock(place: Place) -> None:
    if place.config.get("type") != "s3" or not place.bucket[0]:
        raise BadRegionsFile(
            f"Region {place.slug}: object_lock needs a bucket of an S3 store, as in `name:bucket/path`, and a config"
            ' with type = "s3".'
        )
    if own := [key for key in place.config if LOCKED in key]:
        raise BadRegionsFile(f"Region {place.slug}: config.{own[0]} must go: object_lock sets it.")


def _check_together(places: tuple[Place, ...]) -> None:
    slugs = {place.slug for place in places}
    sections = [place.remote.partition(":")[0] for place in places if place.config]
    if len(slugs) != len(places) or len({place.name.lower() for place in places}) != len(places):
        raise BadRegionsFile("Two regions have the same slug or the same name.")
    if len({*slugs, *sections}) != len(slugs) + len(sections):
        raise BadRegionsFile("The name of a remote with a config may be used once, and must not be a slug.")
    for place in places:
        if place.pair and (place.pair not in slugs or place.pair == place.slug):
            raise BadRegionsFile(f"Region {place.slug}: pair must be the slug of another region of the file.")
        for other in places:
            if other is not place and _within(place, other):
                raise BadRegionsFile(f"Regions {place.slug} and {other.slug} must not share a folder.")


def _within(place: Place, other: Place) -> bool:
    if place.is_folder and other.is_folder:
        return Path(os.path.normpath(place.remote)).is_relative_to(os.path.normpath(other.remote))
    return place.remote.rstrip("/") == other.remote.rstrip("/")


def _section(name: str, options: Mapping[str, str]) -> str:
    return "".join([f"[{name}]\n", *(f"{key} = {value}\n" for key, value in options.items())])
