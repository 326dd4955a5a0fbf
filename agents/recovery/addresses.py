"""Where stock restic finds a machine's repository in a region, and what it needs to be let in; no secret among it.

Of a region's `config` only what says *where* the store is gets out: its type, endpoint and region, never a key.
"""

from dataclasses import dataclass
from shlex import quote

from vaults.regions.config_file import Place

UNKNOWN_ROOT = "ROOT-OF-THE-REGION"
KEY_FILE = "region-key"
RCLONE_FILE = "rclone.conf"
_ADMINISTRATORS = "The portal's administrators have it: in `regions.toml` of its data folder, under `[region.config]`"


@dataclass(frozen=True)
class Address:
    """A repository as restic is told of it: `lines` go before restic's own, into a POSIX shell."""

    lies: str
    repository: str
    access: str
    exports: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What to type first."""
        return (*self.exports, f"export RESTIC_REPOSITORY={quote(self.repository)}")


def address_in(place: Place, below: str) -> Address:
    """Where the repository is whose path in the region is `below`, for somebody who may know where the region is."""
    if place.is_folder:
        return _in_folder(place, below)
    return _in_s3(place, below) or _by_rclone(place, below)


def hidden_address(below: str) -> Address:
    """The same for somebody who may not: the path below the root of the region, and who knows the rest."""
    return Address(
        lies=f"{below} below the root of the region",
        repository=f"{UNKNOWN_ROOT}/{below}",
        access=f"Where the region is, is shown to members of the vault's subscription. Put what the portal's"
        f" administrators have for it (`remote` in `regions.toml` of its data folder) in place of {UNKNOWN_ROOT}.",
    )


def _in_folder(place: Place, below: str) -> Address:
    path = _joined(place.remote, below)
    return Address(
        lies=path,
        repository=path,
        access="On the computer that has this folder, or to which its disk or a copy of it was brought, as root or as"
        " the user that the portal ran as: nobody else may read it. No key is needed.",
    )


def _in_s3(place: Place, below: str) -> Address | None:
    """None where restic's own way to S3 lacks something that rclone knows by the name of the provider."""
    endpoint = place.config.get("endpoint", "").rstrip("/")
    if not endpoint and place.config.get("provider") == "AWS":
        endpoint = "s3.amazonaws.com"
    if place.config.get("type") != "s3" or not endpoint or _holds_more(endpoint):
        return None
    url = endpoint if "://" in endpoint else f"https://{endpoint}"
    path = _joined(_path_of(place).strip("/"), below)
    region = place.config.get("region", "")
    return Address(
        lies=f"{path} in the object store {url}",
        repository=f"s3:{url}/{path}",
        access=f"The region's key, in a file `{KEY_FILE}` beside the passphrase: three lines, `[default]`,"
        f" `aws_access_key_id = …` and `aws_secret_access_key = …`. {_ADMINISTRATORS}, as `access_key_id` and"
        " `secret_access_key`. A key of the store's owner that may only read does as well.",
        exports=(
            f'export AWS_SHARED_CREDENTIALS_FILE="$PWD/{KEY_FILE}"',
            *([f"export AWS_DEFAULT_REGION={quote(region)}"] if region else []),
        ),
    )


def _by_rclone(place: Place, below: str) -> Address:
    name = place.remote.partition(":")[0]
    path = _joined(_path_of(place), below)
    kind = place.config.get("type", "")
    about = f" (of the type {kind})" if kind else ""
    return Address(
        lies=f"{path} in the rclone remote {name}{about}",
        repository=f"rclone:{name}:{path}",
        access=f"rclone on the PATH, and a file `{RCLONE_FILE}` beside the passphrase with the remote `{name}`, its key"
        f" included. The portal's data folder has one of that name. {_ADMINISTRATORS}, with the same options.",
        exports=(f'export RCLONE_CONFIG="$PWD/{RCLONE_FILE}"',),
    )


def _path_of(place: Place) -> str:
    return place.remote.partition(":")[2]


def _joined(root: str, below: str) -> str:
    return f"{root.rstrip('/')}/{below}" if root else below


def _holds_more(endpoint: str) -> bool:
    """Whether it may hold more than where something is: a sign-in before the host, or a question behind the path."""
    return any(sign in endpoint for sign in "@?#")
